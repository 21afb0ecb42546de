"""Disputes on a real mesh: small ones are credited at once, staff decide the others, and the customer is told."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from services.tools.bank.disputes.contract import OPEN_MAX
from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.lending import staff, waits
from tests.mesh.money import DONE, TO_BANK, YES, Teller, kept, past_month


async def purchases(teller: Teller) -> list[JSON]:
    """Erin's card payments of groceries, the newest first."""
    found = await teller.does("erin", ("list_transactions", {"category": "groceries"}))
    listed: list[JSON] = found["transactions"]
    return listed


def dispute(paid: JSON, amount: str | None = None) -> tuple[str, JSON]:
    amount = amount or paid["amount"].removeprefix("-")
    claim = {"transaction_id": paid["transaction_id"], "amount": amount, "currency": paid["currency"]}
    return ("open_dispute", {**claim, "reason": "charged_twice", "words": "I paid this twice"})


async def opened(teller: Teller, call: tuple[str, JSON]) -> tuple[Customer, JSON]:
    erin, asked = await teller.asks("erin", call)
    assert asked.text.startswith("Please confirm, with yes or no: Dispute "), asked
    await erin.says("yes")
    return erin, await teller.last_result(erin)


async def test_small_dispute_is_credited_immediately_and_only_once(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    paid, before = (await purchases(teller))[0], await teller.moved_to("erin")
    erin, told = await opened(teller, dispute(paid, "10.00"))
    assert told["summary"].endswith("was received, and you will be told the outcome.")
    await teller.noticed(erin, f"Your dispute {told['dispute_id']} of 10.00 GBP at {paid['merchant']} was accepted")
    await teller.at_rest()
    assert await teller.moved_to("erin") == before + 10
    _, again = await opened(teller, dispute(paid, "10.00"))
    assert again["refused"].startswith("You have disputed that payment before.")
    assert await teller.moved_to("erin") == before + 10


async def test_larger_dispute_is_credited_after_staff_approve_it(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.moved_to("erin")
    paid = next(entry for entry in (await purchases(teller))[1:] if Decimal(entry["amount"]) < -25)
    erin, told = await opened(teller, dispute(paid))
    case = told["dispute_id"]
    item = await waits(laboratory, case)
    assert item["title"] == f"Dispute of {paid['amount'].removeprefix('-')} GBP at {paid['merchant']}"
    listed = await teller.does("erin", ("list_disputes", {}))
    assert listed["disputes"][0]["status"] == "waiting_for_staff"
    assert await teller.moved_to("erin") == before
    answers = await asyncio.gather(
        *(staff(laboratory, "approve", approval_id=case, by=name, why="We see it twice.") for name in ("mia", "max"))
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    await teller.noticed(erin, "was accepted, and the money is on your account. We see it twice.")
    await teller.at_rest()
    assert await teller.moved_to("erin") == before - Decimal(paid["amount"])


async def test_rejected_dispute_moves_no_money(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    before = await teller.moved_to("erin")
    paid = next(entry for entry in (await purchases(teller))[4:] if Decimal(entry["amount"]) < -25)
    erin, told = await opened(teller, dispute(paid))
    await waits(laboratory, told["dispute_id"])
    assert (
        await staff(laboratory, "reject", approval_id=told["dispute_id"], by="mia", why="It is yours.")
    ).status == 200
    await teller.noticed(erin, "was rejected. It is yours.")
    await teller.at_rest()
    assert await teller.moved_to("erin") == before


async def test_ineligible_dispute_is_refused(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    paid = (await purchases(teller))[2]
    rent = (await teller.does("erin", ("list_transactions", {"category": "rent"})))["transactions"][0]
    month = {"period": past_month(datetime.now(UTC).date()), "category": "groceries"}
    past = await teller.does("erin", ("list_transactions", month))
    for call, why in (
        (dispute(paid, "999.00"), "dispute that, or less."),
        (dispute(rent), "Only card payments can be disputed here."),
        (dispute(past["transactions"][0]), "A payment can be disputed for 120 days"),
        (dispute({**paid, "transaction_id": "TX-0000000000"}), "There is no transaction TX-0000000000 among yours."),
        (dispute({**paid, "currency": "EUR"}), "That payment was in GBP, not in EUR."),
    ):
        _, told = await opened(teller, call)
        assert why in told["refused"], call


async def test_parallel_disputes_never_exceed_the_limit_of_open_ones(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    listed = [
        await teller.does("carol", ("list_transactions", {"period": "last_90_days", "category": name, "limit": 50}))
        for name in ("groceries", "restaurants", "shopping", "health")
    ]
    large = [paid for told in listed for paid in told["transactions"] if Decimal(paid["amount"]) < -25]
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
    assert all(why.startswith(f"You have {OPEN_MAX} open disputes.") for why in refused)
    for told in results:
        if "dispute_id" in told:
            await waits(laboratory, told["dispute_id"])
            await staff(laboratory, "reject", approval_id=told["dispute_id"], by="mia", why="A test.")

    async def all_closed() -> bool:
        records = (await kept(laboratory, "Disputes"))["carol/records"]["records"]
        return {record["status"] for record in records} == {"rejected"} and len(records) == OPEN_MAX

    await laboratory.until(all_closed)
