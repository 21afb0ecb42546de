"""Create or change the bank's tables in PostgreSQL: `python -m services.tools.migrate`.

With `--demo-data`, the demo's customers are written into them, with their accounts and transactions as of now. Safe to
run by several processes at the same time, and again: it does nothing if the tables are up to date, and changes no
customer who is there.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from services.tools.bank.data.demo_rows import write_demo_customers
from services.tools.bank.settings import DATABASE_URL, BankSettings
from switchboard.runtime.settings import load

MIGRATIONS = Path(__file__).parent / "bank" / "migrations"
DRIVER = "postgresql+psycopg"


def migrate(database_url: str) -> None:
    """Apply the migrations that the database lacks. Raises SQLAlchemyError."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # `%` is special in alembic's configuration.
    config.set_main_option("sqlalchemy.url", driver_url(database_url).render_as_string(False).replace("%", "%%"))
    command.upgrade(config, "head")


def load_demo_data(database_url: str) -> int:
    """Write the demo customers that the tables lack. Return how many. Raises SQLAlchemyError."""
    with create_engine(driver_url(database_url), poolclass=NullPool).begin() as connection:
        return write_demo_customers(connection, datetime.now(UTC))


def driver_url(database_url: str) -> URL:
    return make_url(database_url).set(drivername=DRIVER)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.tools.migrate", description="Migrate the bank's tables.")
    parser.add_argument("--demo-data", action="store_true", help="write the demo's customers into the tables")
    demo_data = parser.parse_args(arguments).demo_data
    url = load(BankSettings).database_url
    if url is None:
        sys.stderr.write(f"{DATABASE_URL} is not set, so there is no database to migrate.\n")
        return 1
    try:
        migrate(url.get_secret_value())
        if demo_data:
            added = load_demo_data(url.get_secret_value())
            sys.stdout.write(f"Added {added} demo customers.\n")
    except SQLAlchemyError as error:
        # The first line says what failed. The others may show the statement.
        sys.stderr.write(f"The tables could not be created or changed. {str(error).splitlines()[0]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
