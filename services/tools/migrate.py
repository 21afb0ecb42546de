"""Create or change the bank's tables in PostgreSQL: `python -m services.tools.migrate`.

Safe to run by several processes at the same time, and again: it does nothing if the tables are up to date.
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from services.tools.bank.settings import DATABASE_URL, BankSettings
from switchboard.runtime.settings import load

MIGRATIONS = Path(__file__).parent / "bank" / "migrations"
DRIVER = "postgresql+psycopg"


def migrate(database_url: str) -> None:
    """Apply the migrations that the database lacks. Raises SQLAlchemyError."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    url = make_url(database_url).set(drivername=DRIVER).render_as_string(hide_password=False)
    # `%` is special in alembic's configuration.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")


def main() -> int:
    url = load(BankSettings).database_url
    if url is None:
        sys.stderr.write(f"{DATABASE_URL} is not set, so there is no database to migrate.\n")
        return 1
    try:
        migrate(url.get_secret_value())
    except SQLAlchemyError as error:
        # The first line says what failed. The others may show the statement.
        sys.stderr.write(f"The tables could not be created or changed. {str(error).splitlines()[0]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
