"""The bank's accounts in PostgreSQL: the same transfers with the same kills, and the tables' own rules."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from services.tools.migrate import load_demo_data, migrate
from tests.chaos import test_transfers
from tests.chaos.test_transfers import (
    STEPS,
    Bank,
    bank_with_accounts,
    move,
    test_move_undone_in_advance_is_never_made,
    test_repeated_move_and_repeated_undo_each_happen_once,
    test_undo_keeps_a_deposit_that_was_already_spent,
)
from tests.laboratory import Laboratory
from tests.mesh.money import Teller
from tests.parts import at_night
from tests.postgres import Postgres

__all__ = [
    "test_move_undone_in_advance_is_never_made",
    "test_repeated_move_and_repeated_undo_each_happen_once",
    "test_undo_keeps_a_deposit_that_was_already_spent",
]


@dataclass
class PostgresTeller(Teller):
    """Reads the movements of the state, where earlier tests left some, and those of the database."""

    address: str = ""

    async def net_movements(self) -> dict[str, Decimal]:
        sums = await super().net_movements()
        async with await psycopg.AsyncConnection.connect(self.address, autocommit=True) as connection:
            cursor = await connection.execute("SELECT customer_id, sum(total) FROM bank_totals GROUP BY customer_id")
            for customer_id, total in await cursor.fetchall():
                sums[customer_id] = sums.get(customer_id, Decimal(0)) + total
        return {customer_id: amount for customer_id, amount in sums.items() if amount}


@pytest.fixture(scope="module")
async def address(postgres: Postgres) -> str:
    found = await postgres.create_database(f"bank_{uuid4().hex}")
    for _ in range(2):
        migrate(found)
        load_demo_data(found)
    return found


@pytest.fixture(scope="module")
async def bank(laboratory: Laboratory, address: str) -> AsyncIterator[Bank]:
    teller = PostgresTeller(laboratory, address)
    async with bank_with_accounts(laboratory, teller, {"BANK_DATABASE_URL": address}) as opened:
        yield opened


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("killed", ["accounts", *at_night("transfers", "agent and session", "all, Restate too")])
async def test_transfer_in_postgres_killed_at_a_step_is_made_once(bank: Bank, step: str, killed: str) -> None:
    await test_transfers.test_transfer_killed_at_a_step_is_made_once(bank, step, killed)


@pytest.mark.parametrize("step", ["deposit", *at_night("withdraw")])
async def test_interrupt_at_a_step_undoes_the_transfer_in_postgres(bank: Bank, step: str) -> None:
    await test_transfers.test_interrupt_at_a_step_undoes_the_transfer(bank, step)


async def test_move_from_before_the_switch_still_counts_and_can_be_undone(bank: Bank, address: str) -> None:
    """Without the setting, moves are in Restate's state. They stay there when it is set."""
    before, name = await bank.sums(), str(uuid4())
    with_database = bank.accounts.environment
    await bank.accounts.stop()
    bank.accounts.environment = {key: value for key, value in with_database.items() if key != "BANK_DATABASE_URL"}
    await bank.accounts.start()
    answer = await bank.vault("bob", "deposit", **move(name, "12.34"))
    await bank.accounts.stop()
    bank.accounts.environment = with_database
    await bank.accounts.start()
    repeated = await bank.vault("bob", "deposit", **move(name, "12.34"))
    assert (answer.status, repeated.status) == (200, 200)
    assert (await bank.sums())["bob"] - before.get("bob", 0) == Decimal("12.34")
    assert (await bank.vault("bob", "undo", move_id=name)).body == {"stands": False}
    assert await bank.sums() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bank_totals SET total = total + 1",
        "UPDATE bank_moves SET amount = amount + 1",
        "DELETE FROM bank_moves",
        "DELETE FROM bank_totals",
        "UPDATE bank_moves SET called_off_at = now()",
        "UPDATE bank_moves SET account = NULL",
    ],
)
async def test_total_that_is_not_the_sum_of_the_moves_is_refused(bank: Bank, address: str, statement: str) -> None:
    assert (await bank.vault("bob", "deposit", **move(str(uuid4())))).status == 200
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        with pytest.raises(errors.CheckViolation):
            await connection.execute(statement.encode())
