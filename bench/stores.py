"""What the systems write to: how many bytes each store has added to its log."""

from dataclasses import dataclass
from typing import Protocol

import aiohttp
import psycopg

RESTATE_LOG = "restate_log_server_store_bytes_total"


class Log(Protocol):
    async def logged_bytes(self) -> float:
        """Return the number of bytes that were appended so far."""
        ...


@dataclass(frozen=True)
class RestateLog:
    """`node_url` is the address with Restate's metrics."""

    node_url: str
    http: aiohttp.ClientSession

    async def logged_bytes(self) -> float:
        async with self.http.get(f"{self.node_url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{RESTATE_LOG}{{"))


@dataclass(frozen=True)
class PostgresLog:
    """PostgreSQL's write-ahead log."""

    dsn: str

    async def logged_bytes(self) -> float:
        async with await psycopg.AsyncConnection.connect(self.dsn) as connection:
            rows = await connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
            row = await rows.fetchone()
        assert row is not None
        return float(row[0])
