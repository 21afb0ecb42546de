"""A real PostgreSQL for the tests: one cluster in a temporary folder, on a free port, started and stopped by us."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from switchboard.local.process import START_TIMEOUT, die_with_parent, free_ports, wait_until
from tests.parts import need_tool

USERS = ("postgres", "nobody")
"""Users of Debian whom root may become, because PostgreSQL refuses to run as root. The second one has no rights."""

SETTINGS = {
    # The machine stays up, so that nothing is lost without it when a process is killed.
    "fsync": "off",
    "deadlock_timeout": "50ms",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
    # Restarts do not wait for it.
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Postgres:
    """A cluster. `kill` ends its processes at once, and `start` recovers it."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self.folder = folder
        self.programs = programs
        self.user = user
        (self.port,) = free_ports(1)
        self._running: asyncio.subprocess.Process | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def create(self) -> None:
        arguments = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [self.programs / "initdb", "--pgdata", self.data, *arguments],
            check=True,
            capture_output=True,
            user=self.user,
            extra_groups=None if self.user is None else [],
            cwd=self.folder,
        )

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                self.programs / "postgres",
                *("-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), *settings),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self.user,
                extra_groups=None if self.user is None else [],
                cwd=self.folder,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        await wait_until(self._answers, START_TIMEOUT, otherwise=f"PostgreSQL did not start; see {self.folder / 'log'}")

    async def _answers(self) -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    async def stop(self) -> None:
        """Stop the server as a machine stops that is switched off: at once, without writing anything."""
        await self._end(signal.SIGQUIT)

    async def kill(self) -> None:
        """Kill the server with SIGKILL. Its children notice, and end too."""
        await self._end(signal.SIGKILL)

    async def _end(self, signum: signal.Signals) -> None:
        if self._running is not None and self._running.returncode is None:
            self._running.send_signal(signum)
            await self._running.wait()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def create_database(self, name: str) -> str:
        """Create an empty database and return its address."""
        async with await psycopg.AsyncConnection.connect(self.url(), autocommit=True) as connection:
            await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self.url(name)


def unprivileged_user() -> str | None:
    """Return the user for the server if we are root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(user for user in USERS if user in known)


def programs_of(server: str) -> Path:
    """Return the folder of the server's programs. Packages and `make tools` link to it from elsewhere."""
    return Path(server).resolve().parent


@asynccontextmanager
async def open_postgres() -> AsyncIterator[Postgres]:
    """Create a cluster, start it, and remove it at the end."""
    programs, user = programs_of(need_tool("postgres", "PostgreSQL")), unprivileged_user()
    # pytest's folders are closed to other users.
    with tempfile.TemporaryDirectory(prefix="switchboard-postgres-", ignore_cleanup_errors=True) as created:
        folder = Path(created)
        if user is not None:
            shutil.chown(folder, user)
        server = Postgres(folder, programs, user)
        server.create()
        try:
            await server.start()
            yield server
        finally:
            await server.stop()


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    async with open_postgres() as server:
        yield server
