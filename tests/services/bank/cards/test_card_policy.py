"""What may be done with a card, and what becomes of it."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.tools.bank.cards import policy
from services.tools.bank.cards.contract import CardChoice, CardLimits, ReplaceCard, limits_question, replace_question
from services.tools.bank.cards.policy import CARDS_KEPT, KeptCard, Wallet
from switchboard.toolkit.refusal import Refusal
from tests.services.bank.demo import CUSTOMERS, PEOPLE

ALICE = CUSTOMERS["alice"]
TODAY = date(2026, 11, 23)


def wallet() -> Wallet:
    return policy.first_wallet(ALICE.cards)


def debit() -> KeptCard:
    card = policy.own_card(wallet(), "CD-4417")
    assert isinstance(card, KeptCard)
    return card


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"card_id": "CD-4417"}, "CD-4417"),
        ({"kind": "credit"}, "CD-3310"),
        ({}, "Which card? Your cards: CD-4417 (debit card ending in 4417), CD-3310 (credit card ending in 3310)."),
        ({"card_id": "CD-9953"}, "You have no card CD-9953."),  # it is Bob's
    ],
)
def test_the_card_that_is_meant_is_the_customers_own(choice: dict[str, str], found: str) -> None:
    card = policy.choose(wallet(), CardChoice.model_validate(choice))
    assert (card.why if isinstance(card, Refusal) else card.card_id).startswith(found)


def test_an_only_card_need_not_be_named() -> None:
    daves = policy.choose(policy.first_wallet(CUSTOMERS["dave"].cards), CardChoice())
    assert isinstance(daves, KeptCard)


def limits(**more: Any) -> CardLimits:
    return CardLimits.model_validate({"card_id": "CD-4417", "currency": "EUR", **more})


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ({"day_limit": "10000.00"}, ""),
        ({"cash_limit": "1500.00"}, ""),
        ({"day_limit": "0", "cash_limit": "0"}, ""),
        ({"day_limit": "10000.01"}, "C1"),
        ({"cash_limit": "1500.01"}, "C2"),
        ({"day_limit": "599.99"}, "C3"),
        ({"day_limit": "100", "cash_limit": "100.01"}, "C3"),
    ],
    ids=str,
)
def test_limits_stay_within_the_banks(wanted: dict[str, str], rule: str) -> None:
    refused = policy.refuse_limits(debit(), limits(**wanted))
    assert (refused.rule if refused else "") == rule


def test_the_limit_that_is_not_named_stays() -> None:
    changed = policy.limited(debit(), limits(cash_limit="100.00"))
    assert (str(changed.day_limit), str(changed.cash_limit)) == ("2000.00", "100.00")
    assert policy.refuse_currency("USD", limits(day_limit="1")) is not None


def test_questions_say_what_a_yes_leads_to() -> None:
    assert limits_question(limits(day_limit="3000", cash_limit="700")) == (
        "Set the limits of your card CD-4417: payments to 3,000.00 EUR a day and cash to 700.00 EUR a day?"
    )
    replace = ReplaceCard(card_id="CD-4417", reason="stolen")
    assert replace_question(replace).startswith("Replace your card CD-4417 (stolen)? It is dead at once and for good;")


def test_a_replaced_card_is_dead_for_good_and_its_successor_takes_its_place() -> None:
    old = debit()
    new = policy.successor(old, "CD-0A1B2C3D", 42, 2026)
    assert (new.last_digits, new.expires, new.day_limit, new.status) == ("0042", "2030-09", old.day_limit, "active")
    after = wallet().with_card(old.model_copy(update={"replaced_by": new.card_id})).with_card(new)
    assert [card.card_id for card in after.valid] == ["CD-3310", "CD-0A1B2C3D"]
    dead = policy.own_card(after, "CD-4417")
    assert isinstance(dead, Refusal)
    assert dead.rule == "C4"
    assert "replaced by CD-0A1B2C3D" in dead.why
    letter = policy.card_letter(old, new, PEOPLE["alice"], "lost", "e-1")
    assert (letter.to, letter.email_id) == ("alice@example.com", "e-1")
    assert "Lindenstraße 12, 10115 Berlin" in letter.body


def replaced_often(times: int, every_days: int = 0) -> Wallet:
    """Alice's debit card, replaced again and again; her credit card is the older one."""
    held, card = wallet(), debit()
    for number in range(times):
        new = policy.successor(card, f"CD-{number:08}", number, 2026)
        day = TODAY - timedelta(days=every_days * (times - 1 - number))
        held = held.with_card(policy.replaced(card, new.card_id, day)).with_card(new)
        card = new
    return held


def test_the_cards_that_are_kept_are_bounded_and_none_that_is_valid_goes() -> None:
    held = replaced_often(CARDS_KEPT + 5)
    assert len(held.cards) == CARDS_KEPT
    assert [card.card_id for card in held.valid] == ["CD-3310", f"CD-{CARDS_KEPT + 4:08}"]
    assert next(card.card_id for card in held.cards if card.replaced_by) == f"CD-{6:08}"


def test_valid_cards_stay_however_many_there_are() -> None:
    held = wallet()
    for number in range(CARDS_KEPT):
        held = held.with_card(debit().model_copy(update={"card_id": f"CD-{number:04}"}))
    assert len(held.valid) == CARDS_KEPT + 2


@pytest.mark.parametrize(
    ("times", "every_days", "refused"), [(4, 0, False), (5, 0, True), (5, 7, True), (5, 8, False), (9, 30, False)]
)
def test_cards_are_replaced_so_often_and_no_oftener(times: int, every_days: int, refused: bool) -> None:
    told = policy.refuse_replacement(replaced_often(times, every_days), TODAY)
    assert (told.rule if told else "") == ("C5" if refused else "")


def test_a_card_that_was_kept_without_the_day_of_its_replacement_is_read() -> None:
    kept = debit().model_dump(mode="json", exclude={"replaced_on"}) | {"replaced_by": "CD-0001"}
    old = KeptCard.model_validate(kept)
    assert old.status == "replaced"
    assert policy.refuse_replacement(Wallet(cards=(old,) * 9), TODAY) is None
