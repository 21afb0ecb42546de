"""The bank's accounts in PostgreSQL: the same customers, balances and transactions as the demo's records."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import restate
from psycopg import errors, sql
from sqlalchemy import create_engine

from services.tools.bank.accounts.ledger import Ledger, open_ledger
from services.tools.bank.accounts.moves import Move, Moves
from services.tools.bank.accounts.postgres import Booking, insert_move
from services.tools.bank.data import postgres as records_in_postgres
from services.tools.bank.data.demo import DemoBank
from services.tools.bank.data.demo_rows import write_demo_customers
from services.tools.bank.data.postgres import PostgresBank
from services.tools.bank.lookups import BankRecords
from services.tools.bank.records import Customer
from services.tools.migrate import driver_url, load_demo_data, main, migrate
from switchboard.toolkit.sql import Database
from tests.postgres import Postgres
from tests.unjournaled import Context, wait_for

VARIABLE = "BANK_DATABASE_URL"
DEMO = DemoBank.read()
CUSTOMERS = sorted(DEMO.customers)
CTX: Any = Context()


@pytest.fixture(scope="module")
async def address(postgres: Postgres) -> str:
    """A database in another time zone, where many transactions are on another day."""
    found = await postgres.create_database(f"records_{uuid4().hex}")
    async with await psycopg.AsyncConnection.connect(found, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        await connection.execute(sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'").format(name))
    migrate(found)
    return found


@pytest.fixture(scope="module")
def loaded_at(address: str) -> datetime:
    """When the demo's customers were written. A second time changes nothing."""
    at = datetime.now(UTC)
    with create_engine(driver_url(address)).begin() as connection:
        assert write_demo_customers(connection, at) == len(CUSTOMERS)
        assert write_demo_customers(connection, at + timedelta(days=40)) == 0
    return at


@pytest.fixture
async def bank(address: str, loaded_at: datetime, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresBank]:
    monkeypatch.setenv(VARIABLE, address)
    database = Database(VARIABLE)
    yield PostgresBank(database, DEMO)
    await database.close()


async def ledger(records: BankRecords, customer_id: str, seen_at: datetime, now: datetime) -> Ledger:
    customer = await records.customer(CTX, customer_id)
    assert customer is not None
    return open_ledger(customer, await records.history(CTX, customer, seen_at, now), seen_at, now)


def timeless(customer: Customer | None) -> Customer | None:
    """Return a customer without the time of the balances."""
    if customer is None:
        return None
    accounts = tuple(account.model_copy(update={"balance_at": None}) for account in customer.accounts)
    return Customer.model_validate(customer.model_copy(update={"accounts": accounts}).model_dump())


def in_order(found: Ledger) -> list[str]:
    """Return the transactions, with those of the same moment in the order of their ids."""
    return [
        each.model_dump_json() for each in sorted(found.booked, key=lambda each: (each.booked_at, each.transaction_id))
    ]


def plain(customer: Customer | None) -> Customer | None:
    """Return a demo customer without the rules of the demo."""
    return None if customer is None else Customer.model_validate(customer.model_dump())


@pytest.mark.parametrize("customer_id", CUSTOMERS)
async def test_customer_has_the_accounts_and_transactions_of_the_demo(
    bank: PostgresBank, loaded_at: datetime, customer_id: str
) -> None:
    known = plain(DEMO.customers[customer_id])
    assert timeless(await bank.customer(CTX, customer_id)) == known
    assert known is not None
    for account in known.accounts:
        assert timeless(await bank.account_holder(CTX, account.iban)) == known
    own, demo = [await ledger(records, customer_id, loaded_at, loaded_at) for records in (bank, DEMO)]
    assert in_order(own) == in_order(demo)
    assert own.records_from == demo.records_from
    assert [own.balance(account) for account in own.customer.accounts] == [
        demo.balance(account) for account in demo.customer.accounts
    ]


@pytest.mark.parametrize("customer_id", CUSTOMERS)
async def test_recurring_payments_go_on_and_count_when_their_time_has_come(
    bank: PostgresBank, loaded_at: datetime, customer_id: str
) -> None:
    """The database's own clock has not come that far, so its balance is of today, and the later entries are added."""
    later = loaded_at + timedelta(days=70)
    own, demo = [await ledger(records, customer_id, loaded_at, later) for records in (bank, DEMO)]
    assert in_order(own) == in_order(demo)
    assert [own.balance(account) for account in own.customer.accounts] == [
        demo.balance(account) for account in demo.customer.accounts
    ]


@pytest.mark.parametrize("spelt", [lambda name: name, str.upper, lambda name: " ".join(reversed(name.split()))])
async def test_customers_are_found_by_every_spelling_of_their_name(bank: PostgresBank, spelt: Any) -> None:
    for customer_id, customer in DEMO.customers.items():
        found = await bank.customers_named(CTX, spelt(customer.name))
        assert customer_id in [each.customer_id for each in found]
    assert await bank.customers_named(CTX, "Unknown Person") == ()
    assert await bank.customers_named(CTX, "…") == ()


async def test_unknown_customer_is_none(bank: PostgresBank) -> None:
    assert await bank.customer(CTX, "unknown-customer") is None
    assert await bank.account_holder(CTX, "DE00000000000000000000") is None
    assert await bank.person(CTX, "unknown-customer") is None


async def test_transaction_that_another_program_books_changes_the_balance_once(
    bank: PostgresBank, address: str, loaded_at: datetime
) -> None:
    """Whether it was booked before the customer was first seen, or after."""
    account = DEMO.customers["bob"].accounts[0]
    before = (await ledger(bank, "bob", loaded_at, datetime.now(UTC))).balance(account)
    transaction_id = f"TX-{uuid4().hex[:10].upper()}"
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(
            "INSERT INTO bank_transactions VALUES ('bob', %s, %s, now(), 'Rent', 'rent', -10.50)",
            (transaction_id, account.account),
        )
        for seen_at in (loaded_at, datetime.now(UTC)):
            now = datetime.now(UTC)
            found = await ledger(bank, "bob", seen_at, now)
            assert found.balance(found.customer.accounts[0]) == before - Decimal("10.50")
            assert found.find(transaction_id) is not None
        await connection.execute("DELETE FROM bank_transactions WHERE transaction_id = %s", (transaction_id,))


async def test_view_has_the_balance_that_the_customer_is_shown(
    bank: PostgresBank, address: str, loaded_at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restate, "gather", wait_for)
    account = DEMO.customers["bob"].accounts[0].account
    move = Move(
        move_id=uuid4().hex,
        at=datetime.now(UTC),
        account=account,
        amount=Decimal("-3.20"),
        counterparty="Alice",
        category="transfers",
        reference="",
        limited=True,
    )
    database = Database(VARIABLE)
    await database.write(CTX, insert_move, Booking(customer_id="bob", move=move))
    await database.close()
    now = datetime.now(UTC)
    customer = await bank.customer(CTX, "bob")
    assert customer is not None
    moves = Moves(totals={account: move.amount}, listed=(move,))
    shown = open_ledger(customer, await bank.history(CTX, customer, loaded_at, now), loaded_at, now, moves)
    async with await psycopg.AsyncConnection.connect(address) as connection:
        cursor = await connection.execute("SELECT account, current FROM bank_balances WHERE customer_id = 'bob'")
        current = {str(row[0]): row[1] for row in await cursor.fetchall()}
    assert current == {each.account: shown.balance(each) for each in customer.accounts}


async def test_long_history_is_cut_at_a_whole_day(
    bank: PostgresBank, loaded_at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await ledger(bank, "alice", loaded_at, loaded_at)
    monkeypatch.setattr(records_in_postgres, "HISTORY_MAX", 100)
    cut = await ledger(bank, "alice", loaded_at, loaded_at)
    assert len(cut.history) == 100
    assert cut.records_from > whole.records_from
    days = [[each for each in found.history if each.booked_at.date() >= cut.records_from] for found in (cut, whole)]
    assert days[0] == days[1]
    assert [cut.balance(each) for each in cut.customer.accounts] == [
        whole.balance(each) for each in whole.customer.accounts
    ]


async def test_two_customers_cannot_have_one_iban(address: str, loaded_at: datetime) -> None:
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        with pytest.raises(errors.UniqueViolation, match="bank_accounts_iban"):
            await connection.execute("UPDATE bank_accounts SET iban = 'DE1'")


async def test_command_writes_the_demo_once(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await postgres.create_database(f"records_{uuid4().hex}")
    monkeypatch.setenv(VARIABLE, found)
    for added in (len(CUSTOMERS), 0):
        assert main(["--demo-data"]) == 0
        assert capsys.readouterr().out == f"Added {added} demo customers.\n"
    assert load_demo_data(found) == 0
