"""Reminders and scheduled transfers on a real mesh: they run once despite restarts, and never after a cancellation."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.money import DONE, TO_BANK, TOO_MUCH_FOR_DAVE, YES, Teller, instant, payment, schedule_soon

SOON_S = 2
CANCELLABLE_S = (8, 32, 128)
"""Delays to try for a reminder that is cancelled. On a busy machine the shortest is already over then."""
FAR_S = 3_600


async def set_reminder(teller: Teller, after: Any, text: str = "call the landlord") -> tuple[Customer, JSON]:
    customer, _ = await teller.request_call("carol", ("remind_me", {"text": text, "after": after}))
    return customer, await teller.last_result(customer)


async def waiting_timers(laboratory: Laboratory) -> int:
    # Other tests on this mesh have timers of their own: standing orders, and those of other customers.
    services = "target_service_name IN ('Reminders', 'ScheduledTransfers')"
    due = f"target_handler_name = 'due' AND target_service_key = 'carol' AND {services}"
    sql = f"SELECT count(*) AS n FROM sys_invocation WHERE status = 'scheduled' AND {due}"
    rows = await laboratory.query(sql)
    return int(rows[0]["n"])


async def wait_until_timers(laboratory: Laboratory, count: int) -> None:
    """Wait until so many timers wait: a cancelled one is removed after the answer."""

    async def so_many() -> bool:
        return await waiting_timers(laboratory) == count

    await laboratory.until(so_many)


async def wait_until_no_timers(laboratory: Laboratory) -> None:
    await wait_until_timers(laboratory, 0)
    await Teller(laboratory).wait_until_idle()


async def test_reminder_arrives_once_after_a_full_restart(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    carol, result = await set_reminder(teller, f"PT{SOON_S}S")
    reminder = result["reminder"]
    assert result["summary"].startswith("You will be reminded on ")
    assert result["summary"].endswith(" of “call the landlord”.")
    processes = [laboratory.mesh.restate, laboratory.mesh.services["tools"], laboratory.mesh.services["triage"]]
    await asyncio.gather(*(process.kill() for process in processes))
    await asyncio.gather(*(process.start() for process in processes))
    await teller.wait_for_notice(carol, "Reminder: call the landlord")
    assert datetime.now(UTC) >= datetime.fromisoformat(reminder["due_at"])
    await wait_until_no_timers(laboratory)
    assert (await teller.notices(carol)).count("Reminder: call the landlord") == 1
    assert (await teller.result_of("carol", ("list_reminders", {})))["reminders"] == []


async def test_cancelled_reminder_never_arrives(laboratory: Laboratory) -> None:
    """A reminder that is due later arrives, so the cancelled one would have arrived by then."""
    teller = Teller(laboratory)
    _, other = await set_reminder(teller, FAR_S, "far")
    for delay in CANCELLABLE_S:
        carol, result = await set_reminder(teller, delay, "never")
        listed = await teller.result_of("carol", ("list_reminders", {}))
        reminder = {"reminder_id": result["reminder"]["reminder_id"]}
        cancelled = await teller.result_of("carol", ("cancel_reminder", reminder))
        if "refused" not in cancelled:
            break
    assert [entry["text"] for entry in listed["reminders"]] == ["never", "far"]
    assert cancelled["summary"].startswith("You will not be reminded on ")
    await wait_until_timers(laboratory, 1)

    later, _ = await set_reminder(teller, delay, "later")
    await teller.wait_for_notice(later, "Reminder: later")
    assert await teller.notices(carol) == []
    await teller.result_of("carol", ("cancel_reminder", {"reminder_id": other["reminder"]["reminder_id"]}))
    again = await teller.result_of("carol", ("cancel_reminder", {"reminder_id": other["reminder"]["reminder_id"]}))
    assert "There is no pending reminder" in again["refused"]
    await wait_until_no_timers(laboratory)


async def test_reminder_cancelled_when_due_is_either_cancelled_or_arrives(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    carol, result = await set_reminder(teller, 1, "race")
    due_at = datetime.fromisoformat(result["reminder"]["due_at"])
    await asyncio.sleep((due_at - datetime.now(UTC)).total_seconds() - 0.05)
    answer = await teller.result_of("carol", ("cancel_reminder", {"reminder_id": result["reminder"]["reminder_id"]}))
    await wait_until_no_timers(laboratory)
    if "refused" in answer:
        await teller.wait_for_notice(carol, "Reminder: race")
    else:
        assert await teller.notices(carol) == []


async def test_customer_sees_only_own_reminders(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    _, result = await set_reminder(teller, FAR_S, "secret")
    reminder_id = result["reminder"]["reminder_id"]
    foreign = await teller.result_of("dave", ("cancel_reminder", {"reminder_id": reminder_id}))
    assert foreign["refused"] == f"There is no pending reminder {reminder_id}. Pending reminders: none."
    assert "secret" not in str(await teller.result_of("dave", ("list_reminders", {})))
    await teller.result_of("carol", ("cancel_reminder", {"reminder_id": reminder_id}))


async def test_invalid_reminder_time_is_refused(laboratory: Laboratory) -> None:
    for when, why in (
        ({"after": 0}, "too soon"),
        ({"after": "-PT5S"}, "is in the past"),
        ({"after": "P2Y"}, "too far ahead"),
        ({"at": "2020-01-01"}, "is in the past"),
        ({"at": "2026-02-30"}, "there is no such day"),
        ({"at": "friday", "after": 60}, "give either at or after"),
        ({}, "give either at or after"),
    ):
        result = await Teller(laboratory).result_of("carol", ("remind_me", {"text": "x", **when}))
        assert why in result["refused"], when


async def schedule_transfer(teller: Teller, payer: str, to: str, amount: str, on: str) -> tuple[Customer, JSON]:
    """Schedule a transfer and confirm it."""
    return await teller.confirm(payer, ("schedule_transfer", payment(to, amount, on=on)))


async def test_scheduled_transfer_runs_once_over_a_restart_and_notifies_customer(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movement_of("bob")
    carol, result = await schedule_soon(lambda at: schedule_transfer(teller, "carol", "bob", "11.00", at))
    assert result["scheduled"]["schedule_id"].startswith("T")
    due = datetime.fromisoformat(result["scheduled"]["due_at"])
    assert await teller.net_movement_of("bob") == before or datetime.now(UTC) >= due
    await laboratory.mesh.services["tools"].kill()
    await laboratory.mesh.services["tools"].start()
    await teller.wait_for_notice(
        carol, "Your scheduled transfer was completed. Sent 11.00 EUR from your Checking account to Bob Brandt."
    )
    await wait_until_no_timers(laboratory)
    assert await teller.net_movement_of("bob") == before + 11
    assert (await teller.result_of("carol", ("list_scheduled", {})))["scheduled"] == []


async def test_cancelled_scheduled_transfer_is_never_made(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movements()
    carol, result = await schedule_transfer(teller, "carol", "bob", "12.00", instant(FAR_S))
    listed = await teller.result_of("carol", ("list_scheduled", {}))
    assert [entry["amount"] for entry in listed["scheduled"]] == ["12.00"]
    cancelled = await teller.result_of(
        "carol", ("cancel_scheduled", {"schedule_id": result["scheduled"]["schedule_id"]})
    )
    assert "was cancelled: 12.00 EUR to Bob Brandt on " in cancelled["summary"]
    await wait_until_timers(laboratory, 0)
    assert await teller.net_movements() == before
    assert not any("Your scheduled transfer" in notice for notice in await teller.notices(carol))


async def test_scheduled_transfer_without_funds_notifies_the_customer(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    await teller.require_dave_is_overdrawn()
    before = await teller.net_movements()
    dave, _ = await schedule_soon(lambda at: schedule_transfer(teller, "dave", "bob", TOO_MUCH_FOR_DAVE, at))
    await teller.wait_for_notice(
        dave, "Your scheduled transfer of 4,999.00 EUR to Bob Brandt failed: There is not enough money"
    )
    await wait_until_no_timers(laboratory)
    assert await teller.net_movements() == before


async def test_scheduled_transfer_that_can_never_run_is_refused_immediately(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    for to, on, why in (("nobody", "2099-01-01", "No customer of this bank"), ("bob", "2099-01-01", "too far ahead")):
        _, result = await schedule_transfer(teller, "carol", to, "5.00", on)
        assert why in result["refused"]


async def test_find_date_tells_the_model_the_current_day(laboratory: Laboratory) -> None:
    before = datetime.now(UTC)
    result = await Teller(laboratory).result_of("carol", ("find_date", {"days_ahead": 1}))
    after = datetime.now(UTC)
    assert result["date"] in {str(moment.date() + timedelta(days=1)) for moment in (before, after)}
    step = calls(("find_date", {"weekday": "friday"}), ("find_date", {}))
    await laboratory.model.plays(scene("go", TO_BANK, step, says(DONE)), *YES)
    carol = laboratory.customer("carol")
    await carol.says("go")
    results = [message["content"] for message in await carol.messages() if message["kind"] == "tool"][-2:]
    assert all("Today is " in content for content in results)
