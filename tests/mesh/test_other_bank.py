"""The bank's tools serve a bank with other customers, other currencies and journaled lookups."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import uuid4

from switchboard.local.process import free_ports
from tests.laboratory import Laboratory
from tests.mesh.lending import apply_for_loan, outcome_notice
from tests.mesh.money import Teller
from tests.mesh.other_bank import ASTRID, CHIARA, CHIARAS_IBAN, NILS, NILS_IBAN


@asynccontextmanager
async def other_bank(laboratory: Laboratory) -> AsyncIterator[Teller]:
    """Serve the other bank's tools instead of the demo's, until the end of the test."""
    (port,) = free_ports(1)
    process = laboratory.mesh.service("other_bank", port, module="tests.mesh.other_bank")
    await process.start()
    teller = Teller(laboratory)
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        yield teller
        await teller.wait_until_idle()
    finally:
        await laboratory.mesh.register(laboratory.mesh.addresses.service_url("tools"))
        await process.stop()


async def test_another_bank_serves_its_own_customers(laboratory: Laboratory) -> None:
    async with other_bank(laboratory) as teller:
        assert await teller.balance(CHIARA) == Decimal("8800.00")
        await transfers_between_its_customers(teller)
        await freezes_and_replaces_a_card(teller)
        assert "no customer 'alice'" in (await teller.result_of("alice", ("get_balance", {})))["refused"]
        customer, application = await apply_for_loan(laboratory, ASTRID, "900", 12)
        assert application in await outcome_notice(laboratory, customer)
        loans = (await teller.result_of(ASTRID, ("list_loans", {})))["loans"]
        assert [loan["product"] for loan in loans] == ["Boat loan", "Personal loan"]
        assert {loan["currency"] for loan in loans} == {"SEK"}


async def transfers_between_its_customers(teller: Teller) -> None:
    before, theirs = await teller.balance(ASTRID), await teller.balance(NILS)
    for recipient in (NILS, NILS_IBAN):
        terms = {"recipient": recipient, "recipient_name": "Nils Ek", "amount": "10.00", "currency": "SEK"}
        await teller.confirm(ASTRID, ("transfer_money", terms))
    assert await teller.balance(ASTRID) == before - 20
    assert await teller.balance(NILS) == theirs + 20
    found = await teller.result_of(
        ASTRID, ("find_recipient", {"recipient": CHIARAS_IBAN, "recipient_name": "Chiara Frei"})
    )
    assert found["currencies"] == ["CHF"]
    reference = f"rent {uuid4()}"
    terms = {"recipient": "DE92500105170731209953", "recipient_name": "Bob Brandt", "amount": "5.00", "currency": "SEK"}
    await teller.confirm(ASTRID, ("transfer_money", {**terms, "reference": reference}))
    assert await teller.sent_externally(reference) == [Decimal("5.00")], "the demo bank's customers are external here"


async def freezes_and_replaces_a_card(teller: Teller) -> None:
    cards = (await teller.result_of(ASTRID, ("list_cards", {})))["cards"]
    assert [card["card_id"] for card in cards] == ["CD-7461"]
    frozen = await teller.result_of(ASTRID, ("freeze_card", {"card_id": "CD-7461"}))
    assert "is frozen" in frozen["summary"], frozen
