"""A temporary PostgreSQL server that keeps what it has committed: unlike the one of the tests, with fsync."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.machine import PROJECT
from switchboard.local.process import Process, StartFailed

USER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Each peer has its own pools.
    "max_connections": "200",
    # Debian's default of 128 MB is for the smallest machines.
    "shared_buffers": "256MB",
}
"""Everything else is PostgreSQL's default: fsync and synchronous_commit are on."""


def find_postgres() -> Path | None:
    """Return the server's program. The others are in the same folder, which is not on PATH in Debian."""
    installed = PROJECT / ".tools" / "bin" / "postgres"
    found = installed if installed.exists() else shutil.which("postgres")
    return Path(found).resolve() if found else None


@dataclass
class PostgresServer(Process):
    """The server's first process. It is ready when it accepts a connection."""

    async def _ready(self) -> bool:
        if not self.alive:
            raise StartFailed(f"{self.name} exited at start: {self.last_output()} (full output: {self.log})")
        try:
            async with await psycopg.AsyncConnection.connect(dsn(self.port)):
                return True
        except psycopg.OperationalError:
            return False


def dsn(port: int, database: str = USER) -> str:
    return f"postgresql://{USER}@127.0.0.1:{port}/{database}"


def create_server(folder: Path, port: int) -> PostgresServer:
    """Create a database cluster in `folder`, and return its server, not yet started. Raises StartFailed."""
    postgres = find_postgres()
    if postgres is None:
        raise StartFailed("PostgreSQL is not installed. Run `python -m scripts.tools postgres`.")
    data = folder / "data"
    folder.mkdir(parents=True)
    become = as_postgres(folder)
    created = subprocess.run(
        [
            *become,
            str(postgres.with_name("initdb")),
            "--auth=trust",
            f"--username={USER}",
            "--encoding=UTF8",
            "-D",
            str(data),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if created.returncode:
        raise StartFailed(f"initdb failed: {created.stderr.strip()}")
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return PostgresServer(
        name="postgres",
        command=[*become, str(postgres), "-D", str(data), "-p", str(port), "-k", str(folder), *settings],
        environment={},
        port=port,
        health="",
        log=folder.with_suffix(".log"),
    )


def as_postgres(folder: Path) -> list[str]:
    """Return the start of a command that runs as another user, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, USER)
    # A temporary folder is closed to other users.
    folder.parent.chmod(0o711)
    # Changing the user cancels the kernel's promise to kill the process with its parent, so that setpriv asks again.
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--pdeathsig=KILL"]


async def create_database(port: int, name: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn(port), autocommit=True) as connection:
        await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
