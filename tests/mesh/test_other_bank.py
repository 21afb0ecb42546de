"""The bank's tools serve a bank with other customers, other currencies and records that are looked up in a journal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import uuid4

from switchboard.local.process import free_ports
from tests.laboratory import Laboratory
from tests.mesh.lending import applies, told
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
        await teller.at_rest()
    finally:
        await laboratory.mesh.register(laboratory.mesh.addresses.service_url("tools"))
        await process.stop()


async def test_another_bank_serves_its_own_customers(laboratory: Laboratory) -> None:
    async with other_bank(laboratory) as teller:
        assert await teller.balance(CHIARA) == Decimal("8800.00")
        await transfers_between_its_customers(teller)
        await freezes_and_replaces_a_card(teller)
        assert "no customer 'alice'" in (await teller.does("alice", ("get_balance", {})))["refused"]
        customer, application = await applies(laboratory, ASTRID, "900", 12)
        assert application in await told(laboratory, customer)
        loans = (await teller.does(ASTRID, ("list_loans", {})))["loans"]
        assert [loan["product"] for loan in loans] == ["Boat loan", "Personal loan"]
        assert {loan["currency"] for loan in loans} == {"SEK"}


async def transfers_between_its_customers(teller: Teller) -> None:
    before, theirs = await teller.balance(ASTRID), await teller.balance(NILS)
    for recipient in (NILS, NILS_IBAN):
        terms = {"recipient": recipient, "recipient_name": "Nils Ek", "amount": "10.00", "currency": "SEK"}
        await teller.confirms(ASTRID, ("transfer_money", terms))
    assert await teller.balance(ASTRID) == before - 20
    assert await teller.balance(NILS) == theirs + 20
    found = await teller.does(ASTRID, ("find_recipient", {"recipient": CHIARAS_IBAN, "recipient_name": "Chiara Frei"}))
    assert found["currencies"] == ["CHF"]
    reference = f"rent {uuid4()}"
    terms = {"recipient": "DE92500105170731209953", "recipient_name": "Bob Brandt", "amount": "5.00", "currency": "SEK"}
    await teller.confirms(ASTRID, ("transfer_money", {**terms, "reference": reference}))
    assert await teller.sent_outside(reference) == [Decimal("5.00")], "the demo's customers are strangers here"


async def freezes_and_replaces_a_card(teller: Teller) -> None:
    cards = (await teller.does(ASTRID, ("list_cards", {})))["cards"]
    assert [card["card_id"] for card in cards] == ["CD-7461"]
    frozen = await teller.does(ASTRID, ("freeze_card", {"card_id": "CD-7461"}))
    assert "is frozen" in frozen["summary"], frozen
