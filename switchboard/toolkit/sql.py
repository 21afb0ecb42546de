"""PostgreSQL for tools: reads, and writes that happen exactly once. Needs the extra `postgres`.

Restate may run a step again: after a crash, also one between the COMMIT and the journal entry. So each write has a key
that stays the same in every attempt. The key is inserted into the table `switchboard_writes` in the same transaction as
the effect, with the result. An attempt that finds its key there changes nothing and returns the stored result. Two
attempts at the same time are safe: the second one waits at the key until the first has ended. A refusal is stored under
the key too, so that an attempt that is still under way elsewhere cannot do what the customer was told is not done.

docs/build/sql.md shows how to use it.
"""

import asyncio
import hashlib
import inspect
import logging
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, LiteralString, Self, TypeVar

import restate
from opentelemetry.trace import SpanKind
from pydantic import BaseModel

from switchboard.messages import WireModel
from switchboard.runtime.serve import Models, Served, start_background
from switchboard.runtime.settings import load
from switchboard.telemetry import spans
from switchboard.telemetry.logs import private
from switchboard.toolkit.refusal import CONFLICT, Refusal
from switchboard.toolkit.rpc import INTERRUPTED, allowed, last_word
from switchboard.toolkit.settings import SqlSettings, database_url

try:
    import psycopg
    from psycopg import errors
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool, PoolTimeout
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "switchboard.toolkit.sql needs the extra `postgres`: pip install 'switchboard-mesh[postgres]'", name=error.name
    ) from error

WRITES_TABLE: LiteralString = """\
CREATE TABLE switchboard_writes (
    key text PRIMARY KEY,
    digest bytea NOT NULL,
    result text,
    refusal text,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX switchboard_writes_written_at ON switchboard_writes (written_at);
"""
"""Statements for your first migration: the table with the key of each write. Each row has a result or a refusal."""

ATTEMPTS_MAX = 5
"""Attempts of a transaction within one step, for deadlocks, serialization failures and connections that were lost.
Then Restate retries the step, with growing pauses."""

PAUSE = timedelta(milliseconds=20)
"""Pause before the second attempt. It doubles with each further one."""

ROWS_MAX = 10_000
"""Maximum number of rows of one statement, so that a forgotten LIMIT does not fill the memory."""

CLIENT_CHECKED_EVERY = timedelta(seconds=1)
"""How often the server looks whether the client of a statement is still there. Otherwise a statement of a killed
process would keep its locks until its time-out."""

PRUNED_EVERY = timedelta(hours=1)
"""How often a process deletes old keys."""

PRUNED_AT_ONCE = 1_000
"""Keys that one statement deletes, so that it holds few locks for a short time."""

PRUNED_MAX_BATCHES = 1_000

TOO_LATE = 503
TIMED_OUT = "The database did not answer in time. Nothing was changed. Please try again in a minute."

BROKEN = 500
NOT_SAVED = "This failed because of an error in our system. Nothing was changed."

OPERATION = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|CALL)\b", re.IGNORECASE)

SYSTEM = "postgresql"

TOOK_TOO_LONG = (errors.QueryCanceled, errors.LockNotAvailable)

RETRIED = (psycopg.OperationalError, errors.ReadOnlySqlTransaction, errors.IdleInTransactionSessionTimeout)
"""Errors after which a new attempt may succeed: conflicts, and connections or servers that are lost."""

logger = logging.getLogger(__name__)

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

Row = dict[str, Any]
Parameters = Mapping[str, object] | Sequence[object]
Refusals = Mapping[str, Refusal | str]
Connection = psycopg.AsyncConnection[Row]


class DatabaseUnavailable(Exception):
    """The database is away, or conflicts with other transactions do not end. Restate retries the step."""


class DatabaseError(Exception):
    """The database rejects a statement, for example because a table is missing. Restate retries, then pauses."""


class Transaction:
    """An open transaction: runs statements, one after another. Parameters are `%s` or `%(name)s` in the statement.

    A statement must be a literal. Values of customers and models belong into the parameters.
    """

    def __init__(self, connection: Connection, parent: spans.HandlerSpan | None) -> None:
        self._connection = connection
        self._parent = parent

    async def rows(self, statement: LiteralString, parameters: Parameters = ()) -> list[Row]:
        """Run a statement and return its rows. Raises ValueError for more than ROWS_MAX."""
        with self._span(statement):
            cursor = await self._connection.execute(statement, parameters)
            found = await cursor.fetchmany(ROWS_MAX + 1)
        if len(found) > ROWS_MAX:
            raise ValueError(f"a statement returned more than {ROWS_MAX} rows. Add a LIMIT, or aggregate in SQL")
        return found

    async def row(self, statement: LiteralString, parameters: Parameters = ()) -> Row | None:
        """Run a statement and return its first row, or None if it returned none."""
        found = await self.rows(statement, parameters)
        return found[0] if found else None

    async def execute(self, statement: LiteralString, parameters: Parameters = ()) -> int:
        """Run a statement that returns no rows. Return how many rows it has changed."""
        with self._span(statement):
            return (await self._connection.execute(statement, parameters)).rowcount

    @contextmanager
    def _span(self, statement: str) -> Iterator[None]:
        """Open a span by OpenTelemetry's conventions for databases. It has neither values nor the statement's text."""
        info, found = self._connection.info, OPERATION.match(statement)
        operation = found[1].upper() if found else ""
        attributes: spans.Attributes = {
            "db.system.name": SYSTEM,
            "db.namespace": info.dbname,
            "server.address": info.host or "",
            "server.port": info.port,
        }
        if operation:
            attributes["db.operation.name"] = operation
        name = f"{operation or SYSTEM} {info.dbname}"
        with spans.child_span(self._parent, name, SpanKind.CLIENT, attributes) as span:
            try:
                yield
            except psycopg.Error as error:
                if error.sqlstate:
                    span.set_attribute("db.response.status_code", error.sqlstate)
                raise


Work = Callable[[Transaction, Input], Coroutine[Any, Any, Output]]
"""Reads or writes within a transaction. It may run several times, so it changes nothing but the database."""


class Database:
    """A PostgreSQL database. Pass it to `serve`, which then checks at start that its address is set.

    ```python
    database = Database("SHOP_DATABASE_URL")


    async def insert_order(transaction: Transaction, order: NewOrder) -> Order:
        row = await transaction.row(
            "INSERT INTO orders (customer_id, item) VALUES (%s, %s) RETURNING order_id", (order.customer_id, order.item)
        )
        ...


    @orders.tool()
    async def place_order(ctx: ObjectContext, item: str) -> Order:
        \"\"\"Order an item.\"\"\"
        order = NewOrder(customer_id=ctx.key(), item=item)
        return await database.write(ctx, insert_order, order, {"orders_item_fkey": "There is no such item."})
    ```

    Args:
        variable: Name of the environment variable with the address: `postgresql://user:password@host/database`. It is
            read at the first use.
    """

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self._opening = asyncio.Lock()
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._settings: SqlSettings | None = None
        self._pruned_at: float | None = None

    def served(self, models: Models) -> Served:
        """Check the settings. Ends the process with a message if one is missing or invalid."""
        try:
            database_url(self.variable)
        except ValueError as error:
            sys.stderr.write(f"{error}.\n")
            raise SystemExit(1) from error
        load(SqlSettings)
        return Served(())

    async def write(
        self, ctx: restate.Context, work: Work[Input, Output], request: Input, refusals: Refusals | None = None
    ) -> Output:
        """Run `work(transaction, request)` in one transaction, exactly once, and return its result.

        `work` is a coroutine function; its name and `request` identify the write. To refuse, it raises TerminalError,
        for example with `allowed`; then everything is rolled back. The result is journaled, and stored beside the key.

        A deadlock, a serialization failure or a lost connection is retried. Raises TerminalError:

        - with a refusal of `refusals`, which has the names of constraints as keys, if that constraint is violated;
        - 500 for any other violation or invalid value. The log has the constraint's name; the model does not see it;
        - 503 if a statement or its wait for a lock takes longer than the statement time-out;
        - 409 if this handler was cancelled before the write was done. If it was done by then, the result is returned.
        """
        write = Write(work, request, result_type(work), str(ctx.uuid()), refusals or {})
        parent = spans.current()

        async def attempt() -> Output:
            return await self._write(write, parent)

        written = ctx.run_typed(f"write {write.name}", attempt, restate.RunOptions(type_hint=write.output))
        await last_word(written, write.call_off)
        self._prune_sometimes()
        return await written

    async def read(self, ctx: restate.Context, work: Work[Input, Output], request: Input) -> Output:
        """Run `work(transaction, request)` in a read-only transaction and return its result, which is journaled.

        A lost connection is retried. Raises TerminalError 503 if a statement takes longer than the statement time-out.
        """
        output, parent = result_type(work), spans.current()

        async def attempt() -> Output:
            return await self._attempts(work.__name__, lambda: self._read_once(work, request, parent), {})

        read = ctx.run_typed(f"read {work.__name__}", attempt, restate.RunOptions(type_hint=output))
        return await read

    async def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _attempts(self, name: str, once: Callable[[], Coroutine[Any, Any, Output]], refusals: Refusals) -> Output:
        """Repeat a transaction after a conflict or a lost connection. Raises errors without the database's texts, which
        contain values: Restate stores and logs the text of an error."""
        failed = ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(PAUSE.total_seconds() * 2 ** (attempt - 1))
            try:
                return await once()
            except psycopg.Error as error:
                failed = error_name(error)
                logger.info("%s: %s: %s", name, failed, private(error))
                if isinstance(error, PoolTimeout):
                    break  # The pool has tried to connect for as long as it may.
                if not isinstance(error, RETRIED) or isinstance(error, TOOK_TOO_LONG):
                    raise final_error(name, error, refusals) from None
        raise DatabaseUnavailable(f"{name}: {failed}")

    async def _write(self, write: "Write[Input, Output]", parent: spans.HandlerSpan | None) -> Output:
        """Do the write, or find its outcome. A refusal is stored before it is raised."""

        async def once() -> Output:
            return await self._write_once(write, parent)

        try:
            return await self._attempts(write.name, once, write.refusals)
        except restate.TerminalError as refused:
            write.refused = refused
            return await self._attempts(write.name, once, write.refusals)

    async def _write_once(self, write: "Write[Input, Output]", parent: spans.HandlerSpan | None) -> Output:
        async with self._transaction(parent, read_only=False) as transaction:
            if not await claimed(transaction, write):
                return await write.outcome(transaction)
            refused = write.refused
            if refused is None:
                result = await write.work(transaction, write.request)
                await transaction.execute(
                    "UPDATE switchboard_writes SET result = %s WHERE key = %s", (result.model_dump_json(), write.key)
                )
                return result
            await transaction.execute(
                "UPDATE switchboard_writes SET refusal = %s WHERE key = %s",
                (StoredRefusal.of(refused).model_dump_json(), write.key),
            )
        raise refused

    async def _read_once(self, work: Work[Input, Output], request: Input, parent: spans.HandlerSpan | None) -> Output:
        async with self._transaction(parent, read_only=True) as transaction:
            return await work(transaction, request)

    @asynccontextmanager
    async def _transaction(self, parent: spans.HandlerSpan | None, read_only: bool) -> AsyncIterator[Transaction]:
        """Open a transaction with time-outs, and commit it at the end."""
        pool, settings = await self._open()
        connection = await pool.getconn()
        try:
            with cut_off_after(settings.transaction_timeout, connection):
                async with connection.transaction():
                    await connection.execute(opening(settings, read_only))
                    yield Transaction(connection, parent)
        except errors.ReadOnlySqlTransaction:
            # The server has become a replica. A new connection may find the primary.
            await connection.close()
            raise
        finally:
            await pool.putconn(connection)

    async def _open(self) -> tuple["AsyncConnectionPool[Connection]", SqlSettings]:
        """Return the pool of connections, which opens them when they are needed."""
        async with self._opening:
            settings = self._settings = self._settings or load(SqlSettings)
            if self._pool is None:
                wait = settings.connect_timeout
                pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
                    database_url(self.variable),
                    # Without prepared statements, poolers such as PgBouncer may change the server between transactions.
                    kwargs={
                        "autocommit": True,
                        "row_factory": dict_row,
                        "prepare_threshold": None,
                        "connect_timeout": max(int(wait.total_seconds()), 1),
                        "fallback_application_name": "switchboard",
                    },
                    name=self.variable,
                    min_size=0,
                    max_size=settings.connections_max,
                    timeout=wait.total_seconds(),
                    reconnect_timeout=wait.total_seconds(),
                    open=False,
                )
                await pool.open()
                self._pool = pool
            return self._pool, settings

    def _prune_sometimes(self) -> None:
        now = time.monotonic()
        if self._pruned_at is None or now - self._pruned_at > PRUNED_EVERY.total_seconds():
            self._pruned_at = now
            start_background(self.prune)

    async def prune(self) -> None:
        """Delete the keys of old writes. A process does this by itself, once an hour."""
        for _ in range(PRUNED_MAX_BATCHES):
            async with self._transaction(None, read_only=False) as transaction:
                assert self._settings is not None
                deleted = await transaction.execute(
                    "DELETE FROM switchboard_writes WHERE key IN (SELECT key FROM switchboard_writes"
                    " WHERE written_at < now() - %s LIMIT %s FOR UPDATE SKIP LOCKED)",
                    (self._settings.keys_kept, PRUNED_AT_ONCE),
                )
            if deleted < PRUNED_AT_ONCE:
                return


class StoredRefusal(WireModel):
    """A TerminalError in the column `refusal`."""

    message: str
    status_code: int
    metadata: dict[str, str]

    @classmethod
    def of(cls, error: restate.TerminalError) -> Self:
        return cls(message=error.message, status_code=error.status_code, metadata=error.metadata or {})

    def error(self) -> restate.TerminalError:
        return restate.TerminalError(self.message, self.status_code, self.metadata or None)


@dataclass
class Write(Generic[Input, Output]):
    """One write of one invocation. `refused` is why it must not be done any more."""

    work: Work[Input, Output]
    request: Input
    output: type[Output]
    key: str
    refusals: Refusals
    refused: restate.TerminalError | None = None

    @property
    def name(self) -> str:
        return self.work.__name__

    @property
    def digest(self) -> bytes:
        """Says what the write is, so that its key cannot stand for another one."""
        return hashlib.sha256(f"{self.name}\n{self.request.model_dump_json()}".encode()).digest()

    def call_off(self) -> None:
        """The invocation was cancelled. An attempt that is under way may still succeed."""
        self.refused = restate.TerminalError(INTERRUPTED, status_code=CONFLICT)

    async def outcome(self, transaction: Transaction) -> Output:
        """Return the result of an earlier attempt. Raises TerminalError if it was refused, or was another write."""
        row = await transaction.row(
            "SELECT digest, result, refusal FROM switchboard_writes WHERE key = %s", (self.key,)
        )
        if row is None:
            raise DatabaseUnavailable(f"{self.name}: its key was deleted just now")
        if row["digest"] != self.digest:
            logger.error("%s: its key %s belongs to another write or another input", self.name, self.key)
            raise restate.TerminalError(NOT_SAVED, status_code=BROKEN)
        if row["refusal"] is not None:
            raise StoredRefusal.model_validate_json(row["refusal"]).error()
        return self.output.model_validate_json(row["result"])


async def claimed(transaction: Transaction, write: Write[Any, Any]) -> bool:
    """Insert the write's key. Return False if an earlier attempt has, after waiting until that has ended."""
    try:
        return (
            await transaction.execute(
                "INSERT INTO switchboard_writes (key, digest) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (write.key, write.digest),
            )
            == 1
        )
    except TOOK_TOO_LONG:
        # It is not known how the other attempt ends, so that this is no refusal.
        raise DatabaseUnavailable(f"{write.name}: an earlier attempt is still under way") from None


def result_type(work: Work[Any, Output]) -> type[Output]:
    """Return the type that `work` is annotated to return. Raises TypeError unless it is a pydantic model."""
    found = inspect.signature(work, eval_str=True).return_annotation
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise TypeError(f"{work.__name__} must be annotated to return a pydantic model, such as a WireModel")
    return found  # type: ignore[return-value]  # mypy cannot know that the annotation is Output


def opening(settings: SqlSettings, read_only: bool) -> LiteralString:
    """Return the first statements of a transaction. The server ends what takes too long, also if we are paused, and
    what a process was waiting for that was killed. Times are UTC, whatever the zone of the database."""
    limits = {
        "client_connection_check_interval": CLIENT_CHECKED_EVERY,
        "statement_timeout": settings.statement_timeout,
        "lock_timeout": settings.statement_timeout,
        "idle_in_transaction_session_timeout": settings.transaction_timeout,
    }
    statements = [f"SET LOCAL {name} = {int(limit / timedelta(milliseconds=1))}" for name, limit in limits.items()]
    statements.append("SET LOCAL TIME ZONE 'UTC'")
    return "; ".join(["SET TRANSACTION READ ONLY", *statements] if read_only else statements)


@contextmanager
def cut_off_after(limit: timedelta, connection: Connection) -> Iterator[None]:
    """Break the connection after this time: a server that hangs ends no statement."""

    def cut_off() -> None:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(limit.total_seconds(), cut_off)
    try:
        yield
    finally:
        timer.cancel()


def error_name(error: psycopg.Error) -> str:
    """Return the error's class with its code, such as `UniqueViolation (23505)`. It contains no values."""
    return f"{type(error).__name__} ({error.sqlstate})" if error.sqlstate else type(error).__name__


def final_error(name: str, error: psycopg.Error, refusals: Refusals) -> Exception:
    """Return what to raise for an error that a new attempt would meet again."""
    if isinstance(error, TOOK_TOO_LONG):
        return restate.TerminalError(TIMED_OUT, status_code=TOO_LATE)
    constraint = error.diag.constraint_name or error.diag.column_name or ""
    if isinstance(error, psycopg.IntegrityError) and constraint in refusals:
        return refusal_error(refusals[constraint])
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        table = error.diag.table_name or "?"
        logger.error("%s: %s in table %s, %s; it is not declared", name, error_name(error), table, constraint or "?")
        return restate.TerminalError(NOT_SAVED, status_code=BROKEN)
    return DatabaseError(f"{name}: {error_name(error)}")


def refusal_error(refusal: Refusal | str) -> restate.TerminalError:
    try:
        allowed(Refusal(refusal) if isinstance(refusal, str) else refusal)
    except restate.TerminalError as error:
        return error
    raise AssertionError("a refusal is an error")
