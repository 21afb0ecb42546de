"""The rules for freezing, limiting and replacing cards."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.tools.bank.cards import policy
from services.tools.bank.cards.contract import CardChoice, CardLimits, ReplaceCard, limits_question, replace_question
from services.tools.bank.cards.policy import CARDS_KEPT, StoredCard, Wallet
from switchboard.toolkit.refusal import Refusal
from tests.services.bank.demo import CUSTOMERS, PEOPLE

ALICE = CUSTOMERS["alice"]
TODAY = date(2026, 11, 23)


def wallet() -> Wallet:
    return policy.first_wallet(ALICE.cards)


def debit() -> StoredCard:
    card = policy.own_card(wallet(), "CD-4417")
    assert isinstance(card, StoredCard)
    return card


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"card_id": "CD-4417"}, "CD-4417"),
        ({"kind": "credit"}, "CD-3310"),
        (
            {},
            "Which card do you mean? Your cards: CD-4417 (debit card ending in 4417), CD-3310 (credit card ending in"
            " 3310).",
        ),
        ({"card_id": "CD-9953"}, "You have no card CD-9953."),  # Bob's card
    ],
)
def test_find_card_returns_only_the_customers_own_cards(choice: dict[str, str], found: str) -> None:
    card = policy.find_card(wallet(), CardChoice.model_validate(choice))
    assert (card.why if isinstance(card, Refusal) else card.card_id).startswith(found)


def test_single_card_is_found_without_id_or_kind() -> None:
    daves = policy.find_card(policy.first_wallet(CUSTOMERS["dave"].cards), CardChoice())
    assert isinstance(daves, StoredCard)


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
def test_limits_above_the_maximum_are_refused(wanted: dict[str, str], rule: str) -> None:
    refused = policy.refuse_limits(debit(), limits(**wanted))
    assert (refused.rule if refused else "") == rule


def test_omitted_limit_stays_unchanged() -> None:
    changed = policy.with_limits(debit(), limits(cash_limit="100.00"))
    assert (str(changed.day_limit), str(changed.cash_limit)) == ("2000.00", "100.00")
    assert policy.refuse_currency("USD", limits(day_limit="1")) is not None


def test_consent_questions_state_the_effect() -> None:
    facts = policy.limit_facts(debit(), "EUR")
    assert limits_question(limits(day_limit="3000", cash_limit="700"), facts) == (
        "Change the limits of your debit card ending in 4417 (CD-4417): up to 3,000.00 EUR instead of 2,000.00 EUR a"
        " day for all payments, and up to 700.00 EUR instead of 600.00 EUR a day in cash?"
    )
    assert "and still up to 600.00 EUR a day in cash?" in limits_question(limits(day_limit="3000"), facts)
    replace = ReplaceCard(card_id="CD-4417", reason="stolen")
    assert replace_question(replace, policy.facts(debit())).startswith(
        "Replace your debit card ending in 4417 (CD-4417; reason: stolen)? The card stops working"
        " immediately and permanently."
    )


def test_replaced_card_cannot_be_used_and_the_new_card_inherits_its_limits() -> None:
    old = debit()
    new = policy.replacement_card(old, "CD-0A1B2C3D", 42, 2026)
    assert (new.last_digits, new.expires, new.day_limit, new.status) == ("0042", "2030-09", old.day_limit, "active")
    after = wallet().with_card(old.model_copy(update={"replaced_by": new.card_id})).with_card(new)
    assert [card.card_id for card in after.valid] == ["CD-3310", "CD-0A1B2C3D"]
    refused = policy.own_card(after, "CD-4417")
    assert isinstance(refused, Refusal)
    assert refused.rule == "C4"
    assert "replaced by CD-0A1B2C3D" in refused.why
    email = policy.replacement_email(old, new, PEOPLE["alice"], "lost", "e-1")
    assert (email.to, email.email_id) == ("alice@example.com", "e-1")
    assert "Lindenstraße 12, 10115 Berlin" in email.body


def replaced_often(times: int, every_days: int = 0) -> Wallet:
    """Return Alice's wallet after replacing her debit card several times. Her credit card stays unchanged."""
    held, card = wallet(), debit()
    for number in range(times):
        new = policy.replacement_card(card, f"CD-{number:08}", number, 2026)
        day = TODAY - timedelta(days=every_days * (times - 1 - number))
        held = held.with_card(policy.mark_replaced(card, new.card_id, day)).with_card(new)
        card = new
    return held


def test_wallet_drops_oldest_replaced_cards_beyond_the_maximum() -> None:
    held = replaced_often(CARDS_KEPT + 5)
    assert len(held.cards) == CARDS_KEPT
    assert [card.card_id for card in held.valid] == ["CD-3310", f"CD-{CARDS_KEPT + 4:08}"]
    assert next(card.card_id for card in held.cards if card.replaced_by) == f"CD-{6:08}"


def test_wallet_never_drops_valid_cards() -> None:
    held = wallet()
    for number in range(CARDS_KEPT):
        held = held.with_card(debit().model_copy(update={"card_id": f"CD-{number:04}"}))
    assert len(held.valid) == CARDS_KEPT + 2


@pytest.mark.parametrize(
    ("times", "every_days", "refused"), [(4, 0, False), (5, 0, True), (5, 7, True), (5, 8, False), (9, 30, False)]
)
def test_replacements_beyond_the_maximum_are_refused(times: int, every_days: int, refused: bool) -> None:
    refusal = policy.refuse_replacement(replaced_often(times, every_days), TODAY)
    assert (refusal.rule if refusal else "") == ("C5" if refused else "")


def test_stored_card_without_replacement_date_can_be_read() -> None:
    stored = debit().model_dump(mode="json", exclude={"replaced_on"}) | {"replaced_by": "CD-0001"}
    old = StoredCard.model_validate(stored)
    assert old.status == "replaced"
    assert policy.refuse_replacement(Wallet(cards=(old,) * 9), TODAY) is None
