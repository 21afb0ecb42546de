"""Disputes on a real mesh: small ones are credited immediately, staff decide the others, and customers are notified."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from services.tools.bank.disputes.contract import OPEN_MAX
from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.lending import call_approvals, wait_for_inbox_item
from tests.mesh.money import DONE, TO_BANK, YES, Teller, past_month, stored_state


async def purchases(teller: Teller) -> list[JSON]:
    """Return Erin's card payments for groceries, newest first."""
    found = await teller.result_of("erin", ("list_transactions", {"category": "groceries"}))
    listed: list[JSON] = found["transactions"]
    return listed


def dispute(paid: JSON, amount: str | None = None) -> tuple[str, JSON]:
    amount = amount or paid["amount"].removeprefix("-")
    claim = {"transaction_id": paid["transaction_id"], "amount": amount, "currency": paid["currency"]}
    return ("open_dispute", {**claim, "reason": "charged_twice", "words": "I paid this twice"})


async def open_dispute(teller: Teller, call: tuple[str, JSON]) -> tuple[Customer, JSON]:
    return await teller.confirm("erin", call)


async def test_small_dispute_is_credited_immediately_and_only_once(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    paid, before = (await purchases(teller))[0], await teller.net_movement_of("erin")
    erin, result = await open_dispute(teller, dispute(paid, "10.00"))
    assert result["summary"].endswith("was received. We will let you know the outcome here.")
    await teller.wait_for_notice(
        erin, f"Your dispute {result['dispute_id']} of 10.00 GBP at {paid['merchant']} was accepted"
    )
    await teller.wait_until_idle()
    assert await teller.net_movement_of("erin") == before + 10
    _, again = await open_dispute(teller, dispute(paid, "10.00"))
    assert again["refused"].startswith("You have already disputed that payment.")
    assert await teller.net_movement_of("erin") == before + 10


async def test_larger_dispute_is_credited_after_staff_approve_it(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movement_of("erin")
    paid = next(entry for entry in (await purchases(teller))[1:] if Decimal(entry["amount"]) < -25)
    erin, result = await open_dispute(teller, dispute(paid))
    case = result["dispute_id"]
    item = await wait_for_inbox_item(laboratory, case)
    assert item["title"] == f"Dispute of {paid['amount'].removeprefix('-')} GBP at {paid['merchant']}"
    listed = await teller.result_of("erin", ("list_disputes", {}))
    assert listed["disputes"][0]["status"] == "waiting_for_staff"
    assert await teller.net_movement_of("erin") == before
    answers = await asyncio.gather(
        *(
            call_approvals(laboratory, "approve", approval_id=case, by=name, why="We see it twice.")
            for name in ("mia", "max")
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    await teller.wait_for_notice(erin, "was accepted, and the money is in your account. We see it twice.")
    await teller.wait_until_idle()
    assert await teller.net_movement_of("erin") == before - Decimal(paid["amount"])


async def test_rejected_dispute_moves_no_money(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.net_movement_of("erin")
    paid = next(entry for entry in (await purchases(teller))[4:] if Decimal(entry["amount"]) < -25)
    erin, result = await open_dispute(teller, dispute(paid))
    await wait_for_inbox_item(laboratory, result["dispute_id"])
    assert (
        await call_approvals(laboratory, "reject", approval_id=result["dispute_id"], by="mia", why="It is yours.")
    ).status == 200
    await teller.wait_for_notice(erin, "was rejected. It is yours.")
    await teller.wait_until_idle()
    assert await teller.net_movement_of("erin") == before


async def test_ineligible_dispute_is_refused(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    paid = (await purchases(teller))[2]
    rent = (await teller.result_of("erin", ("list_transactions", {"category": "rent"})))["transactions"][0]
    month = {"period": past_month(datetime.now(UTC).date()), "category": "groceries"}
    past = await teller.result_of("erin", ("list_transactions", month))
    for call, why in (
        (dispute(paid, "999.00"), "The disputed amount cannot be higher."),
        (dispute(rent), "Only card payments can be disputed here."),
        (dispute(past["transactions"][0]), "A payment can be disputed within 120 days."),
        (dispute({**paid, "transaction_id": "TX-0000000000"}), "You have no transaction TX-0000000000."),
        (dispute({**paid, "currency": "EUR"}), "That payment was in GBP, not in EUR."),
    ):
        _, result = await open_dispute(teller, call)
        assert why in result["refused"], call


async def test_parallel_disputes_never_exceed_the_limit_of_open_ones(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    listed = [
        await teller.result_of(
            "carol", ("list_transactions", {"period": "last_90_days", "category": name, "limit": 50})
        )
        for name in ("groceries", "restaurants", "shopping", "health")
    ]
    large = [paid for answer in listed for paid in answer["transactions"] if Decimal(paid["amount"]) < -25]
    wanted = large[: OPEN_MAX + 2]
    assert len(wanted) == OPEN_MAX + 2
    scenes = [scene(f"go {n}", TO_BANK, calls(dispute(paid)), says(DONE)) for n, paid in enumerate(wanted)]
    await laboratory.model.plays(*scenes, *YES)
    carols = [laboratory.customer("carol") for _ in wanted]
    await asyncio.gather(*(carol.says(f"go {n}") for n, carol in enumerate(carols)))
    await asyncio.gather(*(carol.says("yes") for carol in carols))
    results = [await teller.last_result(carol) for carol in carols]
    refused = [result["refused"] for result in results if "refused" in result]
    assert len(refused) == 2
    assert all(why.startswith(f"You already have {OPEN_MAX} open disputes.") for why in refused)
    for answer in results:
        if "dispute_id" in answer:
            await wait_for_inbox_item(laboratory, answer["dispute_id"])
            await call_approvals(laboratory, "reject", approval_id=answer["dispute_id"], by="mia", why="A test.")

    async def all_closed() -> bool:
        records = (await stored_state(laboratory, "Disputes"))["carol/records"]["records"]
        return {record["status"] for record in records} == {"rejected"} and len(records) == OPEN_MAX

    await laboratory.until(all_closed)
