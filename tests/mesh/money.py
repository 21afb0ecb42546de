"""For tests of payments: scripted customers, and the resulting state of their accounts."""

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

# After a yes, the confirmed calls take the first step of the scene. The model's reply to their results is the second.
YES = tuple(scene(text, says("never said"), says(DONE)) for text in ("yes", "Yes."))

DELAYS_S = (4, 8, 16, 32)
"""Delays to try for scheduled actions. On a busy machine the shortest is already over when the yes arrives."""

TOO_MUCH_FOR_DAVE = "4999.00"
"""Below the limit of a transfer, but above the balance of Dave, who is overdrawn. No test may leave him money."""

MONTHS_PAST = 5
"""Payments from this many months ago are too old to be disputed on any day of this month."""

NAMES = {"alice": "Alice Adler", "bob": "Bob Brandt", "carol": "Carol Chen", "dave": "Dave Dietz"}


def transfer_to(to: str, amount: str, **more: Any) -> tuple[str, JSON]:
    """Return the model's call that transfers money to a customer."""
    return ("transfer_money", payment(to, amount, **more))


def payment(to: str, amount: str, **more: Any) -> JSON:
    return {"recipient": to, "recipient_name": NAMES.get(to, to), "amount": amount, "currency": "EUR", **more}


def instant(seconds: float) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def past_month(today: date) -> str:
    """Return a recorded month whose payments are all too old to be disputed."""
    return f"{add_months(first_of_month(today), -MONTHS_PAST):%Y-%m}"


async def schedule_soon(ask: Callable[[str], Awaitable[tuple[Customer, JSON]]]) -> tuple[Customer, JSON]:
    """Call `ask` with increasing delays until its instant is still in the future when the customer's yes arrives."""
    for delay in DELAYS_S:
        customer, result = await ask(instant(delay))
        if "refused" not in result:
            return customer, result
    raise AssertionError(result)


async def stored_state(laboratory: Laboratory, service: str) -> dict[str, Any]:
    """Return the JSON of every state key of a service's objects, by `object key/state key`."""
    columns = "service_key, key, value_utf8"
    rows = await laboratory.query(f"SELECT {columns} FROM state WHERE service_name = '{service}'")
    return {f"{row['service_key']}/{row['key']}": json.loads(row["value_utf8"]) for row in rows}


@dataclass
class Teller:
    """Makes calls to the bank for customers, and reads the state of the accounts."""

    laboratory: Laboratory

    async def request_call(self, customer_id: str, call: tuple[str, Any]) -> tuple[Customer, Answer]:
        """Start a conversation in which the model makes one call. Returns the customer and the first reply."""
        await self.laboratory.model.plays(scene("go", TO_BANK, calls(call), says(DONE)), *YES)
        customer = self.laboratory.customer(customer_id)
        return customer, await customer.says("go")

    async def result_of(self, customer_id: str, call: tuple[str, Any]) -> JSON:
        """Return the result of a call by the model: its JSON, or `refused` with the reason."""
        customer, answer = await self.request_call(customer_id, call)
        assert answer.status == 200, answer
        return await self.last_result(customer)

    async def confirm(self, customer_id: str, call: tuple[str, Any]) -> tuple[Customer, JSON]:
        """Return the customer, and the result of a call: after their yes, or at once if they were not asked."""
        customer, asked = await self.request_call(customer_id, call)
        assert asked.status == 200, asked
        if asked.body["confirmation"]:
            await customer.says("yes")
        return customer, await self.last_result(customer)

    async def last_result(self, customer: Customer) -> JSON:
        results = [message for message in await customer.messages() if message["kind"] == "tool"]
        content, ok = results[-1]["content"], results[-1]["ok"]
        read: JSON = json.loads(content) if ok else {"refused": content}
        return read

    async def balance(self, customer_id: str, account: str = "checking") -> Decimal:
        """Return the balance that the customer is shown."""
        result = await self.result_of(customer_id, ("get_balance", {}))
        return next(Decimal(entry["balance"]) for entry in result["accounts"] if entry["account"] == account)

    async def require_dave_is_overdrawn(self) -> None:
        """Fail fast, because otherwise the test would wait for a refusal that never comes."""
        assert await self.balance("dave") < Decimal(TOO_MUCH_FOR_DAVE), "an earlier test left Dave money"

    async def net_movements(self) -> dict[str, Decimal]:
        """Return by customer the sum of all deposits to the accounts minus all withdrawals."""
        sql = "SELECT service_key, value_utf8 FROM state WHERE service_name = 'Accounts' AND key = 'moves'"
        rows = await self.laboratory.query(sql)
        totals = {row["service_key"]: json.loads(row["value_utf8"])["totals"].values() for row in rows}
        sums = {customer_id: sum(map(Decimal, amounts), Decimal(0)) for customer_id, amounts in totals.items()}
        return {customer_id: amount for customer_id, amount in sums.items() if amount}

    async def net_movement_of(self, customer_id: str) -> Decimal:
        return (await self.net_movements()).get(customer_id, Decimal(0))

    async def sent_externally(self, reference: str) -> list[Decimal]:
        """Return the amounts of all payments to other banks with that reference."""
        sql = "SELECT value_utf8 FROM state WHERE service_name = 'PaymentNetwork' AND key = 'payment'"
        payments = [json.loads(row["value_utf8"])["payment"] for row in await self.laboratory.query(sql)]
        return [Decimal(payment["amount"]) for payment in payments if payment["reference"] == reference]

    async def running_invocations(self) -> list[str]:
        """Return the bank's running invocations, without waiting timers."""
        sql = (
            "SELECT target FROM sys_invocation WHERE status NOT IN ('completed', 'scheduled')"
            " AND target_service_name IN ('Accounts', 'Transfers', 'ScheduledTransfers', 'Reminders', 'PaymentNetwork',"
            " 'StandingOrders', 'StandingOrderDesk', 'Loans', 'LoanRepayments')"
        )
        return [row["target"] for row in await self.laboratory.query(sql)]

    async def wait_until_idle(self) -> None:
        """Wait until none of the bank's invocations is running."""

        async def nothing_runs() -> bool:
            return not await self.running_invocations()

        await self.laboratory.until(nothing_runs)

    async def notices(self, customer: Customer) -> list[str]:
        return [message["text"] for message in await customer.messages() if message["kind"] == "notice"]

    async def wait_for_notice(self, customer: Customer, text: str) -> None:
        """Wait for a notice that contains `text`."""

        async def there() -> bool:
            return any(text in notice for notice in await self.notices(customer))

        await self.laboratory.until(there)
