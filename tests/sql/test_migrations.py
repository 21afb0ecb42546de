"""The bank's migrations: applied by the command, by several processes at the same time, and back again."""

import asyncio
import os
import subprocess
import sys
from uuid import uuid4

import psycopg
from alembic import command
from alembic.config import Config

from services.tools.migrate import MIGRATIONS
from tests.parts import PROJECT
from tests.postgres import Postgres

COMMAND = [sys.executable, "-m", "services.tools.migrate"]


async def tables(address: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(address) as connection:
        cursor = await connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row[0] for row in await cursor.fetchall()}


async def test_replicas_that_start_at_the_same_time_migrate_once(postgres: Postgres) -> None:
    address = await postgres.create_database(f"migrations_{uuid4().hex}")
    environment = {**os.environ, "BANK_DATABASE_URL": address}
    started = [
        await asyncio.create_subprocess_exec(*COMMAND, cwd=PROJECT, env=environment, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [await process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outputs
    assert await tables(address) == {
        *("alembic_version", "switchboard_writes", "bank_moves", "bank_totals"),
        *("bank_customers", "bank_accounts", "bank_transactions"),
    }


async def test_migrations_can_be_taken_back(postgres: Postgres) -> None:
    address = await postgres.create_database(f"migrations_{uuid4().hex}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", address.replace("postgresql:", "postgresql+psycopg:"))
    for _ in range(2):
        command.upgrade(config, "head")
        command.downgrade(config, "base")
    assert await tables(address) == {"alembic_version"}


def test_migration_without_a_database_says_why() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "BANK_DATABASE_URL"}
    answer = subprocess.run(COMMAND, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    expected = "BANK_DATABASE_URL is not set, so there is no database to migrate.\n"
    assert (answer.returncode, answer.stderr) == (1, expected)


async def test_database_that_is_away_is_named_without_the_password(postgres: Postgres) -> None:
    environment = {**os.environ, "BANK_DATABASE_URL": "postgresql://teller:geheim-4711@127.0.0.1:1/bank"}
    answer = await asyncio.create_subprocess_exec(*COMMAND, cwd=PROJECT, env=environment, stderr=subprocess.PIPE)
    _, written = await answer.communicate()
    assert answer.returncode == 1
    assert b"could not be created or changed" in written
    assert b"geheim" not in written
