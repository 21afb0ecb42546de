"""For tests in which money moves: customers who are scripted to pay, and what their accounts hold after it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.tools.bank.months import add_months, first_of_month
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory

TO_BANK = calls(("handoff_to_Bank", {"reason": "money"}))
DONE = "it is done"

# The confirmed calls are the first reply after a yes; what the model says to their results is the second.
YES = tuple(scene(text, says("never said"), says(DONE)) for text in ("yes", "Yes."))

AHEAD_S = (4, 8, 16, 32)
"""How far ahead something is put off: a busy machine takes long to say yes, and then the first is in the past."""

TOO_MUCH_FOR_DAVE = "4999.00"
"""Within what may be sent at once. Dave is overdrawn: no test may make him rich."""

MONTHS_PAST = 5
"""The payments of so many months ago can be disputed on no day of this month."""

NAMES = {"alice": "Alice Adler", "bob": "Bob Brandt", "carol": "Carol Chen", "dave": "Dave Dietz"}


def sends(to: str, amount: str, **more: Any) -> tuple[str, JSON]:
    """The call by which the model sends money to a customer."""
    return ("transfer_money", payment(to, amount, **more))


def payment(to: str, amount: str, **more: Any) -> JSON:
    return {"recipient": to, "recipient_name": NAMES.get(to, to), "amount": amount, "currency": "EUR", **more}


def instant(seconds: float) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def past_month(today: date) -> str:
    """A month on record whose payments are all too old to be disputed."""
    return f"{add_months(first_of_month(today), -MONTHS_PAST):%Y-%m}"


async def put_off(ask: Callable[[str], Awaitable[tuple[Customer, JSON]]]) -> tuple[Customer, JSON]:
    """What `ask` is answered for the nearest instant that is not too near when the customer's yes arrives."""
    for ahead in AHEAD_S:
        customer, told = await ask(instant(ahead))
        if "refused" not in told:
            return customer, told
    raise AssertionError(told)


async def kept(laboratory: Laboratory, service: str) -> dict[str, Any]:
    """The JSON of every state key of an object, by `key/state key`."""
    columns = "service_key, key, value_utf8"
    rows = await laboratory.mesh.admin.query(f"SELECT {columns} FROM state WHERE service_name = '{service}'")
    return {f"{row['service_key']}/{row['key']}": json.loads(row["value_utf8"]) for row in rows}


@dataclass
class Teller:
    """Speaks to the bank for customers, and looks into the accounts."""

    laboratory: Laboratory

    async def asks(self, customer_id: str, call: tuple[str, Any]) -> tuple[Customer, Answer]:
        """A new conversation in which the model makes one call; and the answer to its first message."""
        await self.laboratory.model.plays(scene("go", TO_BANK, calls(call), says(DONE)), *YES)
        customer = self.laboratory.customer(customer_id)
        return customer, await customer.says("go")

    async def does(self, customer_id: str, call: tuple[str, Any]) -> JSON:
        """What a tool answers when the model calls it: its JSON, or `refused` with the sentence."""
        customer, answer = await self.asks(customer_id, call)
        assert answer.status == 200, answer
        return await self.last_result(customer)

    async def confirms(self, customer_id: str, call: tuple[str, Any]) -> tuple[Customer, JSON]:
        """What a tool answers when the customer has said yes to its call."""
        customer, asked = await self.asks(customer_id, call)
        assert asked.body["confirmation"], asked
        await customer.says("yes")
        return customer, await self.last_result(customer)

    async def last_result(self, customer: Customer) -> JSON:
        results = [message for message in await customer.messages() if message["kind"] == "tool"]
        content, ok = results[-1]["content"], results[-1]["ok"]
        read: JSON = json.loads(content) if ok else {"refused": content}
        return read

    async def balance(self, customer_id: str, account: str = "checking") -> Decimal:
        """As the customer is told."""
        told = await self.does(customer_id, ("get_balance", {}))
        return next(Decimal(entry["balance"]) for entry in told["accounts"] if entry["account"] == account)

    async def refuse_rich_dave(self) -> None:
        """Fails at once, where else a test would wait for a refusal that cannot come."""
        assert await self.balance("dave") < Decimal(TOO_MUCH_FOR_DAVE), "an earlier test left Dave money"

    async def moved(self) -> dict[str, Decimal]:
        """By customer: all that was ever moved to the accounts, less what was moved from them."""
        sql = "SELECT service_key, value_utf8 FROM state WHERE service_name = 'Accounts' AND key = 'moves'"
        rows = await self.laboratory.mesh.admin.query(sql)
        totals = {row["service_key"]: json.loads(row["value_utf8"])["totals"].values() for row in rows}
        sums = {customer_id: sum(map(Decimal, amounts), Decimal(0)) for customer_id, amounts in totals.items()}
        return {customer_id: amount for customer_id, amount in sums.items() if amount}

    async def moved_to(self, customer_id: str) -> Decimal:
        return (await self.moved()).get(customer_id, Decimal(0))

    async def sent_outside(self, reference: str) -> list[Decimal]:
        """The amounts of all payments with that reference that have left for other banks."""
        sql = "SELECT value_utf8 FROM state WHERE service_name = 'PaymentNetwork' AND key = 'payment'"
        payments = [json.loads(row["value_utf8"])["payment"] for row in await self.laboratory.mesh.admin.query(sql)]
        return [Decimal(payment["amount"]) for payment in payments if payment["reference"] == reference]

    async def busy(self) -> list[str]:
        """What is under way at the accounts and the transfers, timers that wait aside."""
        sql = (
            "SELECT target FROM sys_invocation WHERE status NOT IN ('completed', 'scheduled')"
            " AND target_service_name IN ('Accounts', 'Transfers', 'ScheduledTransfers', 'Reminders', 'PaymentNetwork',"
            " 'StandingOrders', 'StandingOrderDesk', 'Loans', 'LoanRepayments')"
        )
        return [row["target"] for row in await self.laboratory.mesh.admin.query(sql)]

    async def at_rest(self) -> None:
        """Wait until all that was begun has ended."""

        async def nothing_runs() -> bool:
            return not await self.busy()

        await self.laboratory.until(nothing_runs)

    async def notices(self, customer: Customer) -> list[str]:
        return [message["text"] for message in await customer.messages() if message["kind"] == "notice"]

    async def noticed(self, customer: Customer, text: str) -> None:
        """Wait for a notice that contains `text`."""

        async def there() -> bool:
            return any(text in notice for notice in await self.notices(customer))

        await self.laboratory.until(there)
