"""What is put off on a real mesh: it comes once, over restarts, and not at all once it was cancelled."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.money import DONE, TO_BANK, TOO_MUCH_FOR_DAVE, YES, Teller, instant, payment, put_off

SOON_S = 2
CANCELLED_WITHIN_S = 8
"""Time enough for a busy machine to cancel what it has just put off."""
FAR_S = 3_600


async def reminded(teller: Teller, after: Any, text: str = "call the landlord") -> tuple[Customer, JSON]:
    customer, _ = await teller.asks("carol", ("remind_me", {"text": text, "after": after}))
    return customer, await teller.last_result(customer)


async def waiting_timers(laboratory: Laboratory) -> int:
    sql = "SELECT count(*) AS n FROM sys_invocation WHERE status = 'scheduled' AND target_handler_name = 'due'"
    rows = await laboratory.mesh.admin.query(sql)
    return int(rows[0]["n"])


async def none_waits(laboratory: Laboratory) -> None:
    async def none() -> bool:
        return await waiting_timers(laboratory) == 0

    await laboratory.until(none)
    await Teller(laboratory).at_rest()


async def test_reminder_arrives_once_after_a_full_restart(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    carol, told = await reminded(teller, f"PT{SOON_S}S")
    reminder = told["reminder"]
    assert told["summary"].startswith("You will be reminded on ")
    assert told["summary"].endswith(" of “call the landlord”.")
    processes = [laboratory.mesh.restate, laboratory.mesh.services["tools"], laboratory.mesh.services["triage"]]
    await asyncio.gather(*(process.kill() for process in processes))
    await asyncio.gather(*(process.start() for process in processes))
    await teller.noticed(carol, "Reminder: call the landlord")
    assert datetime.now(UTC) >= datetime.fromisoformat(reminder["due_at"])
    await none_waits(laboratory)
    assert (await teller.notices(carol)).count("Reminder: call the landlord") == 1
    assert (await teller.does("carol", ("list_reminders", {})))["reminders"] == []


async def test_cancelled_reminder_never_arrives(laboratory: Laboratory) -> None:
    """A later one of the same customer comes, by when this one would have."""
    teller = Teller(laboratory)
    carol, told = await reminded(teller, CANCELLED_WITHIN_S, "never")
    _, other = await reminded(teller, FAR_S, "far")
    listed = await teller.does("carol", ("list_reminders", {}))
    assert [entry["text"] for entry in listed["reminders"]] == ["never", "far"]
    cancelled = await teller.does("carol", ("cancel_reminder", {"reminder_id": told["reminder"]["reminder_id"]}))
    assert cancelled["summary"].startswith("You will not be reminded on ")
    assert await waiting_timers(laboratory) == 1
    later, _ = await reminded(teller, CANCELLED_WITHIN_S, "later")
    await teller.noticed(later, "Reminder: later")
    assert await teller.notices(carol) == []
    await teller.does("carol", ("cancel_reminder", {"reminder_id": other["reminder"]["reminder_id"]}))
    again = await teller.does("carol", ("cancel_reminder", {"reminder_id": other["reminder"]["reminder_id"]}))
    assert "is still to come" in again["refused"]
    await none_waits(laboratory)


async def test_reminder_cancelled_when_due_is_either_cancelled_or_arrives(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    carol, told = await reminded(teller, 1, "race")
    due_at = datetime.fromisoformat(told["reminder"]["due_at"])
    await asyncio.sleep((due_at - datetime.now(UTC)).total_seconds() - 0.05)
    answer = await teller.does("carol", ("cancel_reminder", {"reminder_id": told["reminder"]["reminder_id"]}))
    await none_waits(laboratory)
    if "refused" in answer:
        await teller.noticed(carol, "Reminder: race")
    else:
        assert await teller.notices(carol) == []


async def test_customer_sees_only_own_reminders(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    _, told = await reminded(teller, FAR_S, "secret")
    reminder_id = told["reminder"]["reminder_id"]
    foreign = await teller.does("dave", ("cancel_reminder", {"reminder_id": reminder_id}))
    assert foreign["refused"] == f"No reminder {reminder_id} is still to come. There are: none."
    assert "secret" not in str(await teller.does("dave", ("list_reminders", {})))
    await teller.does("carol", ("cancel_reminder", {"reminder_id": reminder_id}))


async def test_invalid_reminder_time_is_refused(laboratory: Laboratory) -> None:
    for when, why in (
        ({"after": 0}, "too soon"),
        ({"after": "-PT5S"}, "lies in the past"),
        ({"after": "P2Y"}, "too far ahead"),
        ({"at": "2020-01-01"}, "lies in the past"),
        ({"at": "2026-02-30"}, "there is no such day"),
        ({"at": "friday", "after": 60}, "give either at or after"),
        ({}, "give either at or after"),
    ):
        told = await Teller(laboratory).does("carol", ("remind_me", {"text": "x", **when}))
        assert why in told["refused"], when


async def scheduled(teller: Teller, payer: str, to: str, amount: str, on: str) -> tuple[Customer, JSON]:
    """A scheduled transfer that its payer has confirmed."""
    customer, asked = await teller.asks(payer, ("schedule_transfer", payment(to, amount, on=on)))
    assert "from your Checking to " in asked.text
    await customer.says("yes")
    return customer, await teller.last_result(customer)


async def test_scheduled_transfer_runs_once_over_a_restart_and_notifies_customer(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.moved_to("bob")
    carol, told = await put_off(lambda at: scheduled(teller, "carol", "bob", "11.00", at))
    assert told["scheduled"]["schedule_id"].startswith("T")
    due = datetime.fromisoformat(told["scheduled"]["due_at"])
    assert await teller.moved_to("bob") == before or datetime.now(UTC) >= due
    await laboratory.mesh.services["tools"].kill()
    await laboratory.mesh.services["tools"].start()
    await teller.noticed(carol, "Your scheduled transfer was made. Sent 11.00 EUR from your Checking to Bob Brandt.")
    await none_waits(laboratory)
    assert await teller.moved_to("bob") == before + 11
    assert (await teller.does("carol", ("list_scheduled", {})))["scheduled"] == []


async def test_cancelled_scheduled_transfer_is_never_made(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.moved()
    carol, told = await scheduled(teller, "carol", "bob", "12.00", instant(FAR_S))
    listed = await teller.does("carol", ("list_scheduled", {}))
    assert [entry["amount"] for entry in listed["scheduled"]] == ["12.00"]
    cancelled = await teller.does("carol", ("cancel_scheduled", {"schedule_id": told["scheduled"]["schedule_id"]}))
    assert cancelled["summary"].startswith("Cancelled, not sent: 12.00 EUR to Bob Brandt on ")
    assert await waiting_timers(laboratory) == 0
    assert await teller.moved() == before
    assert not any("Your scheduled transfer" in notice for notice in await teller.notices(carol))


async def test_scheduled_transfer_without_funds_notifies_the_customer(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    await teller.refuse_rich_dave()
    before = await teller.moved()
    dave, _ = await put_off(lambda at: scheduled(teller, "dave", "bob", TOO_MUCH_FOR_DAVE, at))
    await teller.noticed(
        dave, "Your scheduled transfer of 4,999.00 EUR to Bob Brandt was not made: There is not enough money"
    )
    await none_waits(laboratory)
    assert await teller.moved() == before


async def test_scheduled_transfer_that_can_never_run_is_refused_immediately(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    for to, on, why in (("nobody", "2099-01-01", "No customer of this bank"), ("bob", "2099-01-01", "too far ahead")):
        _, told = await scheduled(teller, "carol", to, "5.00", on)
        assert why in told["refused"]


async def test_find_date_tells_the_model_the_current_day(laboratory: Laboratory) -> None:
    today = datetime.now(UTC).date()
    told = await Teller(laboratory).does("carol", ("find_date", {"days_ahead": 1}))
    assert told["date"] == str(today + timedelta(days=1))
    step = calls(("find_date", {"weekday": "friday"}), ("find_date", {}))
    await laboratory.model.plays(scene("go", TO_BANK, step, says(DONE)), *YES)
    carol = laboratory.customer("carol")
    await carol.says("go")
    results = [message["content"] for message in await carol.messages() if message["kind"] == "tool"][-2:]
    assert all("Today is " in content for content in results)
