"""Charges and refunds, each once for its id; balances are what they leave."""

from decimal import Decimal

import pytest

from services.tools.demo_data.airline import PaymentMeansData, airline
from services.tools.payments.contract import Authorise, ChargeMeans, Refund
from services.tools.payments.policy import own_means, refuse_card, refuse_charge
from services.tools.payments.wallet import CHARGES_MAX, Wallet, available, give_back, is_full, list_means, record
from services.tools.refusal import Refusal

EMPTY = Wallet()


def charging(means_id: str, amount: str, charge_id: str = "c", currency: str = "EUR") -> ChargeMeans:
    return ChargeMeans(charge_id=charge_id, means_id=means_id, amount=Decimal(amount), currency=currency)


def means(means_id: str, customer_id: str = "alice") -> PaymentMeansData:
    found = own_means(airline().customer(customer_id), means_id)
    assert not isinstance(found, Refusal)
    return found


def test_a_charge_twice_is_one_charge() -> None:
    once = record(EMPTY, charging("GC-1207", "20"))
    assert record(once, charging("GC-1207", "20")) == once
    assert available(means("GC-1207"), once) == Decimal(100)


@pytest.mark.parametrize(("kept", "left"), [("0", "120"), ("5", "115"), ("20", "100"), ("30", "100")])
def test_a_charge_is_given_back_once_but_for_what_is_kept(kept: str, left: str) -> None:
    charged = record(EMPTY, charging("GC-1207", "20"))
    back = give_back(charged, Refund(charge_id="c", kept=Decimal(kept)))
    assert available(means("GC-1207"), back) == Decimal(left)
    assert give_back(back, Refund(charge_id="c")) == back


def test_what_was_never_charged_is_not_given_back() -> None:
    assert give_back(EMPTY, Refund(charge_id="c")) == EMPTY


@pytest.mark.parametrize(
    ("means_id", "amount", "spent", "currency", "why"),
    [
        ("GC-1207", "120", "0", "EUR", None),
        ("GC-1207", "120.01", "0", "EUR", "There is only 120.00 EUR left on gift card GC-1207. Pay less with it."),
        ("GC-1207", "1", "120", "EUR", "Gift card GC-1207 is used up. Choose another means."),
        ("TC-5001", "50", "0", "EUR", None),
        (
            "TC-5001",
            "49.99",
            "0",
            "EUR",
            "Travel certificate TC-5001 is used whole: pay exactly 50.00 EUR with it, or nothing.",
        ),
        ("TC-5001", "50", "50", "EUR", "Travel certificate TC-5001 is used up. Choose another means."),
        ("VISA-4242", "99999", "0", "EUR", None),
        (
            "VISA-4242",
            "1",
            "0",
            "USD",
            "Visa ending in 4242 VISA-4242 is in EUR, and the price in USD. Choose another means.",
        ),
    ],
)
def test_a_means_bears_what_it_has(means_id: str, amount: str, spent: str, currency: str, why: str | None) -> None:
    spent_before = record(EMPTY, charging(means_id, spent, "before")) if Decimal(spent) else EMPTY
    own = means(means_id)
    refusal = refuse_charge(own, available(own, spent_before), charging(means_id, amount, currency=currency))
    assert (refusal.why if refusal else None) == why


def test_anothers_means_and_nobodys_are_refused_in_the_same_words() -> None:
    foreign, unknown = (own_means(airline().customer("alice"), found) for found in ("GC-2210", "GC-9999"))
    assert isinstance(foreign, Refusal)
    assert isinstance(unknown, Refusal)
    assert foreign.why.replace("GC-2210", "…") == unknown.why.replace("GC-9999", "…")


@pytest.mark.parametrize(
    ("token", "words"),
    [("tok-alice-4242", None), ("tok-bob-0002", "was declined: insufficient funds"), ("tok", "does not know")],
)
def test_the_processor_declines_one_card_and_all_that_it_does_not_know(token: str, words: str | None) -> None:
    refusal = refuse_card(airline(), Authorise(card_token=token, amount=Decimal(1), currency="EUR"))
    assert (refusal is None) if words is None else (refusal is not None and words in refusal.why)


def test_the_means_are_told_without_the_cards_secrets() -> None:
    told = list_means(airline().customer("alice"), EMPTY)
    assert told.summary == (
        "You can pay with: Gift card GC-1207 with 120.00 EUR; Travel certificate TC-5001 worth 50.00 EUR;"
        " Visa ending in 4242 (VISA-4242)."
    )
    assert "tok-" not in told.model_dump_json()
    assert list_means(None, EMPTY).summary == "You have no means to pay with."


def test_what_costs_nothing_any_more_makes_room_and_the_rest_does_not() -> None:
    wallet = EMPTY
    for number in range(CHARGES_MAX):
        wallet = record(wallet, charging("VISA-4242", "1", f"c{number}"))
    assert is_full(wallet)
    refunded = give_back(wallet, Refund(charge_id="c7"))
    assert not is_full(refunded)
    after = record(refunded, charging("VISA-4242", "1", "new"))
    assert (len(after.charges), "c7" in after.charges) == (CHARGES_MAX, False)
