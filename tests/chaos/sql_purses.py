"""Tools that pay between purses in PostgreSQL, with gates in each step: `python -m tests.chaos.sql_purses`.

A gate is a file in the folder GATES. While the file `before`, `in` or `after` exists, a payment whose reference is the
file's text waits there and creates a file with the suffix `.reached`: before its transaction, in it, or after COMMIT
and before the journal entry. A payment that hears of its cancellation creates `.cancelled.reached`. Tests call tools
through the ingress.
"""

import asyncio
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import restate

from switchboard import WireModel, serve
from switchboard.toolkit.sql import Database, Transaction, Write

GATES = Path(os.environ.get("GATES", os.devnull))
POLL_SECONDS = 0.01
NOT_ENOUGH = "There are not enough coins in the purse."


class Payment(WireModel):
    payer: str
    payee: str
    coins: Decimal
    reference: str = ""


class Paid(WireModel):
    left: Decimal


async def pass_gate(gate: str, reference: str) -> None:
    closed = GATES / gate
    if not closed.exists() or reference not in closed.read_text().split("\n"):
        return
    (GATES / f"{reference}.{gate}.reached").touch()
    while closed.exists():
        await asyncio.sleep(POLL_SECONDS)


call_off = Write.call_off


def noted_call_off(write: Write[Payment, Paid]) -> None:
    call_off(write)
    (GATES / f"{write.request.reference}.cancelled.reached").touch()


Write.call_off = noted_call_off  # type: ignore[method-assign, assignment]  # tests wait for the file


class GatedDatabase(Database):
    async def _write(self, write: Any, parent: Any) -> Any:
        await pass_gate("before", write.request.reference)
        try:
            return await super()._write(write, parent)
        finally:
            await pass_gate("after", write.request.reference)


database = GatedDatabase("PURSES_URL")
purses = restate.Service("Purses", description="For tests: payments in PostgreSQL.")


async def pay_coins(transaction: Transaction, payment: Payment) -> Paid:
    row = await transaction.row(
        "UPDATE purses SET coins = coins - %(coins)s WHERE owner = %(payer)s RETURNING coins", payment.model_dump()
    )
    await pass_gate("in", payment.reference)
    await transaction.execute(
        "UPDATE purses SET coins = coins + %(coins)s WHERE owner = %(payee)s", payment.model_dump()
    )
    await transaction.execute(
        "INSERT INTO payments (reference, coins) VALUES (%(reference)s, %(coins)s)", payment.model_dump()
    )
    assert row is not None
    return Paid(left=row["coins"])


@purses.handler()
async def pay(ctx: restate.Context, payment: Payment) -> Paid:
    return await database.write(ctx, pay_coins, payment, {"not_overdrawn": NOT_ENOUGH})


if __name__ == "__main__":
    serve(purses, database)
