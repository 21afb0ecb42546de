"""`switchboard.toolkit.sql` on a real PostgreSQL, without Restate: keys, refusals, errors, spans and old keys."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import restate
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from switchboard import Refusal, WireModel, allowed
from switchboard.telemetry import spans
from switchboard.telemetry.logs import set_up_logging
from switchboard.toolkit import sql
from switchboard.toolkit.sql import NOT_SAVED, TIMED_OUT, WRITES_TABLE, Database, DatabaseError, Transaction
from tests.postgres import Postgres
from tests.unjournaled import Context, wait_for

VARIABLE = "SQL_TESTS_URL"

TABLES = """
CREATE TABLE purses (
    owner text PRIMARY KEY CHECK (length(owner) < 30),
    coins numeric(12, 2) NOT NULL,
    CONSTRAINT not_overdrawn CHECK (coins >= 0)
);
CREATE TABLE notes (owner text NOT NULL CONSTRAINT notes_owner REFERENCES purses, text text NOT NULL);
INSERT INTO purses VALUES ('ann', 100), ('ben', 100), ('hal', 100);
"""


class Pay(WireModel):
    owner: str
    coins: Decimal


class Purse(WireModel):
    owner: str
    coins: Decimal


async def pay(transaction: Transaction, request: Pay) -> Purse:
    row = await transaction.row(
        "UPDATE purses SET coins = coins - %(coins)s WHERE owner = %(owner)s RETURNING coins", request.model_dump()
    )
    if row is None:
        allowed(Refusal(f"There is no purse of {request.owner}.", 404))
    assert row is not None
    return Purse(owner=request.owner, coins=row["coins"])


async def note(transaction: Transaction, request: Pay) -> Purse:
    await transaction.execute("INSERT INTO notes VALUES (%s, %s)", (request.owner, str(request.coins)))
    return Purse(owner=request.owner, coins=request.coins)


async def nap(transaction: Transaction, request: Pay) -> Purse:
    await transaction.execute("UPDATE purses SET coins = coins - 1 WHERE owner = %s", (request.owner,))
    await transaction.rows("SELECT pg_sleep(%s)", (request.coins,))
    return Purse(owner=request.owner, coins=request.coins)


async def look(transaction: Transaction, request: Pay) -> Purse:
    row = await transaction.row("SELECT coins FROM purses WHERE owner = %s", (request.owner,))
    return Purse(owner=request.owner, coins=row["coins"] if row else Decimal(0))


async def misspelt(transaction: Transaction, request: Pay) -> Purse:
    await transaction.rows("SELECT coins FROM pursesss WHERE owner = %s", (request.owner,))
    return Purse(owner="", coins=Decimal(0))


@pytest.fixture(scope="module")
async def address(postgres: Postgres) -> str:
    found = await postgres.create_database(f"sql_{uuid4().hex}")
    async with await psycopg.AsyncConnection.connect(found, autocommit=True) as connection:
        await connection.execute(WRITES_TABLE)
        await connection.execute(TABLES)
    return found


@pytest.fixture
async def database(address: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setenv(VARIABLE, address)
    monkeypatch.setenv("SWITCHBOARD_SQL_STATEMENT_TIMEOUT", "PT30S")
    monkeypatch.setattr(restate, "gather", wait_for)
    opened = Database(VARIABLE)
    yield opened
    await opened.close()


async def coins(database: Database, owner: str) -> Decimal:
    ctx: Any = Context()
    return (await database.read(ctx, look, Pay(owner=owner, coins=Decimal(0)))).coins


async def refused(written: Any) -> tuple[str, int]:
    with pytest.raises(restate.TerminalError) as raised:
        await written
    return raised.value.message, raised.value.status_code


def request(owner: str, amount: str) -> Pay:
    return Pay(owner=owner, coins=Decimal(amount))


async def test_retry_with_the_same_key_writes_once_and_returns_the_first_result(database: Database) -> None:
    ctx: Any = Context()
    before = await coins(database, "ann")
    first = await database.write(ctx, pay, request("ann", "7.50"))
    other: Any = Context()
    await database.write(other, pay, request("ann", "0.25"))
    assert await database.write(ctx, pay, request("ann", "7.50")) == first
    assert first.coins == before - Decimal("7.50")
    assert await coins(database, "ann") == before - Decimal("7.75")


async def test_attempts_at_the_same_time_write_once(database: Database) -> None:
    ctx: Any = Context()
    before = await coins(database, "ben")
    results = await asyncio.gather(*(database.write(ctx, pay, request("ben", "1.00")) for _ in range(6)))
    assert len(set(results)) == 1
    assert await coins(database, "ben") == before - 1


async def test_serialization_failure_is_retried(
    database: Database, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both transactions read the same balance before one of them writes. One write would be lost without the retry."""
    monkeypatch.setenv(VARIABLE, f"{address}?options=-c%20default_transaction_isolation%3Dserializable")
    have_read: list[Pay] = []

    async def pay_by_hand(transaction: Transaction, request: Pay) -> Purse:
        row = await transaction.row("SELECT coins FROM purses WHERE owner = %s", (request.owner,))
        assert row is not None
        have_read.append(request)
        async with asyncio.timeout(60):
            while len(have_read) < 2:
                await asyncio.sleep(0.01)
        left = row["coins"] - request.coins
        await transaction.execute("UPDATE purses SET coins = %s WHERE owner = %s", (left, request.owner))
        return Purse(owner=request.owner, coins=left)

    before = await coins(database, "ben")
    contexts: list[Any] = [Context(), Context()]
    await asyncio.gather(*(database.write(ctx, pay_by_hand, request("ben", "3.00")) for ctx in contexts))
    assert await coins(database, "ben") == before - 6


@pytest.mark.parametrize(
    ("work", "amount"), [(note, "1.00"), (pay, "2.00")], ids=["another statement", "another input"]
)
async def test_key_of_another_write_is_an_error(
    database: Database, caplog: pytest.LogCaptureFixture, work: Any, amount: str
) -> None:
    ctx: Any = Context()
    await database.write(ctx, pay, request("ann", "1.00"))
    before = await coins(database, "ann")
    assert await refused(database.write(ctx, work, request("ann", amount))) == (NOT_SAVED, 500)
    assert await coins(database, "ann") == before
    assert "belongs to another write" in caplog.text


async def test_refusal_stays_when_the_reason_is_gone(database: Database) -> None:
    """An attempt that starts late must not do what the customer was told is not done."""
    ctx: Any = Context()
    absent = request(f"cat {uuid4().hex[:8]}", "0")
    answer = await refused(database.write(ctx, pay, absent))
    assert answer == (f"There is no purse of {absent.owner}.", 404)

    async def create(transaction: Transaction, asked: Pay) -> Purse:
        await transaction.execute("INSERT INTO purses VALUES (%s, 5)", (asked.owner,))
        return Purse(owner=asked.owner, coins=Decimal(5))

    other: Any = Context()
    await database.write(other, create, absent)
    assert await refused(database.write(ctx, pay, absent)) == answer
    assert await coins(database, absent.owner) == 5


async def test_declared_constraint_is_a_refusal_and_undoes_the_write(database: Database) -> None:
    before = await coins(database, "ben")
    ctx: Any = Context()
    sentences: dict[str, Refusal | str] = {"not_overdrawn": Refusal("There are not enough coins.", 402, "B1")}
    assert await refused(database.write(ctx, pay, request("ben", "5000"), sentences)) == (
        "There are not enough coins.",
        402,
    )
    assert await coins(database, "ben") == before


@pytest.mark.parametrize(
    ("work", "owner", "amount", "logged"),
    [
        (pay, "ann", "5000", "CheckViolation (23514) in table purses, not_overdrawn"),
        (note, "stranger-4711", "1", "ForeignKeyViolation (23503) in table notes, notes_owner"),
        (pay, "ann", "-99999999999", "NumericValueOutOfRange (22003)"),
    ],
    ids=["check", "foreign key", "out of range"],
)
async def test_undeclared_constraint_is_logged_but_not_told(
    database: Database, caplog: pytest.LogCaptureFixture, work: Any, owner: str, amount: str, logged: str
) -> None:
    ctx: Any = Context()
    assert await refused(database.write(ctx, work, request(owner, amount))) == (NOT_SAVED, 500)
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert logged in line.getMessage()
    assert owner not in caplog.text
    assert "99999999999" not in caplog.text


async def test_statement_that_takes_too_long_is_undone_and_the_next_one_works(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCHBOARD_SQL_STATEMENT_TIMEOUT", "PT2S")
    ctx: Any = Context()
    before = await coins(database, "ann")
    assert await refused(database.write(ctx, nap, request("ann", "60"))) == (TIMED_OUT, 503)
    assert await coins(database, "ann") == before


async def test_server_that_hangs_breaks_the_connection_and_restate_retries(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own time-out does not help if the server hangs."""
    monkeypatch.setenv("SWITCHBOARD_SQL_STATEMENT_TIMEOUT", "PT60S")
    monkeypatch.setenv("SWITCHBOARD_SQL_TRANSACTION_TIMEOUT", "PT0.2S")
    monkeypatch.setattr(sql, "ATTEMPTS_MAX", 2)
    ctx: Any = Context()
    before = await coins(database, "hal")
    with pytest.raises(sql.DatabaseUnavailable, match=r"^nap: "):
        await asyncio.wait_for(database.write(ctx, nap, request("hal", "30")), 120)
    assert await coins(database, "hal") == before


async def test_error_of_a_statement_has_no_values(database: Database) -> None:
    ctx: Any = Context()
    with pytest.raises(DatabaseError) as raised:
        await database.write(ctx, misspelt, request("secret-owner", "1"))
    assert str(raised.value) == "misspelt: UndefinedTable (42P01)"
    assert raised.value.__cause__ is None


async def test_server_without_connection_is_retried_by_restate(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://postgres@127.0.0.1:1/absent")
    monkeypatch.setenv("SWITCHBOARD_SQL_CONNECT_TIMEOUT", "PT1S")
    ctx: Any = Context()
    with pytest.raises(sql.DatabaseUnavailable, match="PoolTimeout"):
        await database.write(ctx, pay, request("ann", "1"))


async def test_read_cannot_write(database: Database) -> None:
    ctx: Any = Context()
    with pytest.raises(sql.DatabaseUnavailable, match="ReadOnlySqlTransaction"):
        await database.read(ctx, pay, request("ann", "1"))


async def test_transactions_leave_no_lines_in_the_log(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ctx: Any = Context()
    try:
        set_up_logging("INFO", "text")
        await database.write(ctx, pay, request("ann", "0"))
        await database.write(ctx, pay, request("ann", "0"))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert capsys.readouterr().out == ""


async def test_old_keys_are_deleted_and_young_ones_stay(
    database: Database, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "PRUNED_AT_ONCE", 2)
    old, young = [Context() for _ in range(5)], Context()
    keys = [str(ctx.key) for ctx in old]
    contexts: list[Any] = [*old, young]
    for ctx in contexts:
        await database.write(ctx, pay, request("ann", "0"))
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(
            "UPDATE switchboard_writes SET written_at = now() - %s WHERE key = ANY(%s)", (timedelta(days=91), keys)
        )
        await database.prune()
        cursor = await connection.execute("SELECT key FROM switchboard_writes")
        left = {row[0] for row in await cursor.fetchall()}
    assert not left & set(keys)
    assert str(young.key) in left


async def test_spans_follow_the_conventions_and_have_no_values(
    database: Database, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "tracer", provider.get_tracer("switchboard"))
    tool = spans.HandlerSpan("execute_tool pay", "inv_1", "Purses", "pay", {}, None, None, None)
    monkeypatch.setattr(spans, "current", lambda: tool)
    ctx: Any = Context()
    assert await refused(database.write(ctx, pay, request("ann", "4711"))) == (NOT_SAVED, 500)
    found: tuple[ReadableSpan, ...] = exporter.get_finished_spans()
    name = address.rpartition("/")[2]
    assert [span.name for span in found][:2] == [f"INSERT {name}", f"UPDATE {name}"]
    assert {span.parent.span_id for span in found if span.parent} == {tool.span_id}
    failed = dict(found[1].attributes or {})
    assert failed.pop("restate.invocation.id") == "inv_1"
    assert failed.pop("server.port") == int(address.rpartition("/")[0].rpartition(":")[2])
    assert failed == {
        "db.system.name": "postgresql",
        "db.namespace": name,
        "db.operation.name": "UPDATE",
        "db.response.status_code": "23514",
        "error.type": "CheckViolation",
        "server.address": "127.0.0.1",
    }
    assert "ann" not in repr([span.to_json() for span in found])
    assert "4711" not in repr([span.to_json() for span in found])


def test_missing_address_ends_the_process_at_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ABSENT_URL", raising=False)
    models: Any = None
    with pytest.raises(SystemExit):
        Database("ABSENT_URL").served(models)
    expected = "ABSENT_URL is not set. Set it to postgresql://user:password@host/database.\n"
    assert capsys.readouterr().err == expected
