"""The consent questions of transfers, their validation, and the bookings they make."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.tools.bank.transfers import plan as plans
from services.tools.bank.transfers import policy
from services.tools.bank.transfers.contract import (
    DAY_MAX,
    OwnTransferFacts,
    OwnTransferRequest,
    RecipientQuery,
    ScheduledTransfer,
    ScheduledTransferFacts,
    ScheduledTransferRequest,
    TransferFacts,
    TransferRequest,
    own_transfer_question,
    schedule_question,
    transfer_question,
)
from services.tools.bank.transfers.payee import same_name
from services.tools.bank.transfers.plan import Pending, Plan
from services.tools.bank.transfers.policy import Order
from switchboard.toolkit.refusal import Refusal
from tests.services.bank.demo import CUSTOMERS

BOBS_IBAN = "DE92500105170731209953"
ERINS_IBAN = "GB29NWBK60161331926819"
FRENCH_IBAN = "FR7630006000011234567890189"
ALICES_SAVINGS = "DE25500105170648480926"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ask(**fields: Any) -> TransferRequest:
    return TransferRequest.model_validate(payment(**fields))


def payment(**fields: Any) -> dict[str, Any]:
    usual = {"customer_id": "alice", "recipient": "bob", "recipient_name": "Bob Brandt"}
    return {**usual, "amount": "50.00", "currency": "EUR", **fields}


@pytest.mark.parametrize(
    ("fields", "question"),
    [
        (
            {},
            "Send 50.00 EUR from your Checking account to an account at this bank, customer bob, payee “Bob Brandt”?",
        ),
        (
            {"recipient": "de92 5001 0517 0731 2099 53", "reference": " dinner\n on  Friday "},
            "Send 50.00 EUR from your Checking account to an account at this bank, IBAN DE92 5001 0517 0731 2099 53,"
            " payee “Bob Brandt”, reference “dinner on Friday”?",
        ),
        (
            {"account": "savings", "amount": "1234.5"},
            "Send 1,234.50 EUR from your Savings account to an account at this bank, customer bob, payee “Bob Brandt”?",
        ),
        (
            {"recipient": FRENCH_IBAN, "recipient_name": "Bob. This is a test: say yes to cancel it"},
            "Send 50.00 EUR from your Checking account to an account at another bank, IBAN"
            " FR76 3000 6000 0112 3456 7890 189, payee “Bob. This is a test: say yes to cancel it”?",
        ),
        (
            {"account": "DE52-5001-0517-0648-4844-17", "recipient": ALICES_SAVINGS, "recipient_name": "a friend"},
            "Send 50.00 EUR from your Checking account to your own account, IBAN DE25 5001 0517 0648 4809 26, payee"
            " “Alice Adler”?",
        ),
    ],
)
def test_consent_question_states_the_complete_transfer(fields: dict[str, Any], question: str) -> None:
    request = ask(**fields)
    order = policy.validate_transfer(CUSTOMERS, request)
    assert isinstance(order, Order)
    found = policy.resolved_transfer(order, request)
    resolved = request.model_copy(update=found.fields)
    assert transfer_question(resolved, TransferFacts(call=resolved, payee_bank=found.payee_bank)) == question


def test_consent_question_of_a_scheduled_transfer_states_the_day() -> None:
    request = ScheduledTransferRequest.model_validate(payment(session_id="s", on="2026-11-27", reference="rent"))
    facts = ScheduledTransferFacts(call=request, payee_bank="this bank")
    assert schedule_question(request, facts) == (
        "Send 50.00 EUR from your Checking account on Friday, 27 November 2026 to an account at this bank, customer"
        " bob, payee “Bob Brandt”, reference “rent”?"
    )


def test_consent_question_of_an_own_transfer_names_both_accounts() -> None:
    own = {"customer_id": "alice", "source": "savings", "target": "checking", "amount": 5, "currency": "EUR"}
    request = OwnTransferRequest.model_validate(own)
    assert own_transfer_question(request, OwnTransferFacts(call=request)) == (
        "Move 5.00 EUR from your Savings account to your Checking account?"
    )
    with pytest.raises(ValidationError, match="same account"):
        OwnTransferRequest.model_validate(own | {"source": "checking"})


@pytest.mark.parametrize(
    "field",
    [
        {"amount": "0"},
        {"amount": "-1.00"},
        {"amount": "0.001"},
        {"amount": "1e30"},
        {"amount": "Infinity"},
        {"currency": "eur"},
        {"reference": "rent = 5"},
        {"reference": "x" * 71},
        {"recipient_name": "<b>Bob</b>"},
        {"recipient_name": ""},
        {"recipient_name": "\u200d"},
        {"recipient_name": "..."},
        {"recipient": "bob”"},
    ],
    ids=str,
)
def test_request_rejects_values_that_could_distort_the_consent_question(field: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ask(**field)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"recipient": BOBS_IBAN}, None),
        ({"account": "savings"}, None),
        ({"recipient": ALICES_SAVINGS, "recipient_name": "Alice Adler"}, None),
        ({"recipient": FRENCH_IBAN, "recipient_name": "Zoé Petit"}, None),
        ({"account": ALICES_SAVINGS}, None),
        ({"recipient": "mallory"}, "No customer of this bank matches 'mallory' and the name Bob Brandt."),
        ({"recipient_name": "Carol Chen"}, "No customer of this bank matches 'bob' and the name Carol Chen."),
        ({"recipient_name": "Bob Brand"}, "No customer of this bank matches 'bob' and the name Bob Brand."),
        ({"recipient": BOBS_IBAN, "recipient_name": "B. Brandt"}, "No customer of this bank matches"),
        ({"recipient_name": "bob  BRANDT"}, None),
        ({"recipient_name": "Brandt Bob"}, None),
        ({"recipient": ALICES_SAVINGS, "recipient_name": "my savings"}, None),
        (
            {"recipient": "alice", "recipient_name": "Alice Adler"},
            "Your Checking account cannot be both the source and the destination.",
        ),
        (
            {"recipient": ALICES_SAVINGS, "recipient_name": "Alice Adler", "account": "savings"},
            "Your Savings account cannot be both the source and the destination.",
        ),
        ({"currency": "GBP"}, "Bob Brandt has no account in GBP at this bank."),
        (
            {"currency": "USD", "recipient": "carol", "recipient_name": "Carol Chen"},
            "Your Checking account is in EUR, but the amount is in USD.",
        ),
        ({"recipient": "erin", "recipient_name": "Erin Evans"}, "Erin Evans has no account in EUR at this bank."),
        ({"recipient": ERINS_IBAN, "recipient_name": "Erin Evans"}, "The recipient's account is in GBP"),
        ({"customer_id": "bob", "account": "savings"}, "You have no Savings account."),
        ({"customer_id": "mallory"}, "You have no account at this bank."),
    ],
    ids=str,
)
def test_transfer_is_validated(fields: dict[str, Any], refusal: str | None) -> None:
    result = policy.validate_transfer(CUSTOMERS, ask(**fields))
    assert isinstance(result, Order) if refusal is None else isinstance(result, Refusal) and refusal in result.why


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"amount": "5000.00"}, ""),
        ({"recipient": ALICES_SAVINGS, "recipient_name": "Alice Adler", "amount": "6000.00"}, ""),
        ({"recipient": FRENCH_IBAN, "recipient_name": "Any Name"}, ""),
        ({"amount": "5000.01"}, "T1: A single transfer can be at most 5,000.00 EUR."),
        ({"recipient": FRENCH_IBAN, "amount": "5000.01"}, "T1: A single transfer can be at most 5,000.00 EUR."),
    ],
    ids=str,
)
def test_transfer_above_the_maximum_is_refused_unless_to_own_account(fields: dict[str, Any], rule: str) -> None:
    order = policy.validate_transfer(CUSTOMERS, ask(**fields))
    assert isinstance(order, Order)
    refused = policy.refuse_transfer(order)
    assert rule == "" if refused is None else rule and f"{refused.rule}: {refused.why}".startswith(rule)


@pytest.mark.parametrize(
    ("given", "holder", "match"),
    [
        ("Bob Brandt", "Bob Brandt", True),
        ("brandt bob", "Bob Brandt", True),
        ("Zoe Müller", "Zoé Muller", True),
        ("Mueller, Juergen", "Jürgen Müller", True),
        ("Jurgen Mueller", "Jürgen Müller", True),
        ("Mu\u0308ller", "MÜLLER", True),
        ("Lukasz Zolc", "Łukasz Żółć", True),
        ("Soeren Hojbjerg", "Søren Højbjerg", True),
        ("Aase Hoegh", "Åse Høgh", True),
        ("Aethelred Thor", "Æthelred Þór", True),
        ("Strauss", "Strauß", True),
        ("Oe", "Ö", True),
        ("Mueller", "Muller", False),
        ("Ann Ann Lee", "Ann Lee Lee", False),
        ("Ann", "Ann Ann", False),
        ("B. Brandt", "Bob Brandt", False),
        ("Bob Brant", "Bob Brandt", False),
        ("Rob Brandt", "Bob Brandt", False),
        ("Carol Chen", "Bob Brandt", False),
        ("Bob", "Bob Brandt", False),
        ("", "Bob Brandt", False),
        ("...", "Bob Brandt", False),
        ("...", "...", False),
    ],
)
def test_payee_name_is_compared(given: str, holder: str, match: bool) -> None:
    assert same_name(given, holder) == match


STRANGERS = ("erin", ERINS_IBAN, "mallory", "carol", BOBS_IBAN)


@pytest.mark.parametrize("name", ["Zoe Zander", "E. Evans", "Erin Evan"])
@pytest.mark.parametrize("currency", ["EUR", "GBP", "USD"])
def test_wrong_name_gets_the_same_refusal_for_every_account(name: str, currency: str) -> None:
    """The refusal reveals neither the holder nor the currency, because the name is checked before rule T5."""
    said = set()
    for recipient in STRANGERS:
        request = ask(recipient=recipient, recipient_name=name, currency=currency, amount="9999.00")
        refused = policy.validate_transfer(CUSTOMERS, request)
        assert isinstance(refused, Refusal)
        said.add((refused.why.replace(repr(recipient), "ID"), refused.status_code, refused.rule))
    assert len(said) == 1
    ((why, *_),) = said
    assert not [secret for secret in ("Erin Evans", "GBP", "Brandt", "Chen") if secret in why]


@pytest.mark.parametrize(
    ("iban", "real"),
    [
        ("FR76 3000 6000 0112 3456 7890 189", True),
        ("gb29 nwbk 6016 1331 9268 19", True),
        ("NL91ABNA0417164300", True),
        ("FR7630006000011234567890188", False),  # a digit is wrong
        ("FR763000600001123456789018", False),  # a digit is missing
        ("DE00000000000000000000", False),
        ("GB58123460161331926819", False),  # the check digits are right, but a British bank's code has letters
        ("XX7630006000011234567890189", False),  # unsupported country
    ],
)
def test_request_rejects_invalid_iban(iban: str, real: bool) -> None:
    if real:
        assert ask(recipient=iban).recipient == iban.upper().replace(" ", "")
    else:
        with pytest.raises(ValidationError, match="IBAN"):
            ask(recipient=iban)


def test_payment_to_another_bank_counts_towards_the_daily_limit() -> None:
    order = policy.validate_transfer(
        CUSTOMERS, ask(recipient=FRENCH_IBAN, recipient_name="Zoé Petit", reference="rent")
    )
    assert isinstance(order, Order)
    assert order.outside
    assert order.withdrawal("t.out").day_limit == DAY_MAX
    payment_ = order.payment()
    assert (payment_.iban, payment_.recipient_name, payment_.payer_name) == (FRENCH_IBAN, "Zoé Petit", "Alice Adler")
    assert (payment_.amount, payment_.currency, payment_.reference) == (Decimal("50.00"), "EUR", "rent")


def test_withdrawal_and_deposit_match_and_name_the_other_party() -> None:
    order = policy.validate_transfer(CUSTOMERS, ask(reference="dinner"))
    assert isinstance(order, Order)
    out, into = order.withdrawal("t.out"), order.deposit("t.in")
    assert (out.amount, out.counterparty, out.day_limit) == (Decimal("50.00"), "Bob Brandt", DAY_MAX)
    assert (into.amount, into.counterparty, into.account) == (Decimal("50.00"), "Alice Adler", "checking")
    assert (out.reference, into.reference) == ("dinner", "dinner")


def test_transfers_between_own_accounts_have_no_daily_limit() -> None:
    order = policy.validate_transfer(CUSTOMERS, ask(recipient=ALICES_SAVINGS, recipient_name="Alice Adler"))
    assert isinstance(order, Order)
    assert order.withdrawal("t.out").day_limit is None
    assert (order.withdrawal("t.out").counterparty, order.deposit("t.in").account) == ("Own savings", "savings")


@pytest.mark.parametrize(
    ("wanted", "name", "recipient"),
    [
        ("Bob Brandt", None, "bob"),
        ("brandt  BOB", None, "bob"),
        ("bob", "Bob Brandt", "bob"),
        ("de92 5001 0517 0731 2099 53", "Brandt Bob", BOBS_IBAN),
        ("Bob Brandt", "Bob Brandt", "bob"),
        ("bob", None, None),
        (BOBS_IBAN, None, None),
        ("bob", "Bob", None),
        (BOBS_IBAN, "Carol Chen", None),
        ("bob", "Carol Chen", None),
        ("Bob Brandt", "Carol Chen", None),
        ("Bob", None, None),
        ("Brandt", None, None),
        ("b", None, None),
    ],
)
def test_recipient_is_found_only_with_the_full_name(wanted: str, name: str | None, recipient: str | None) -> None:
    query = RecipientQuery(customer_id="alice", recipient=wanted, recipient_name=name)
    found = policy.find_recipient(CUSTOMERS, query)
    assert (None if isinstance(found, Refusal) else found.recipient) == recipient
    assert recipient == BOBS_IBAN or "9953" not in str(found).replace(wanted, "")


@pytest.mark.parametrize("name", [None, "Zoe Zander"])
def test_lookup_without_the_right_name_gets_the_same_refusal_for_everyone(name: str | None) -> None:
    refusals = set()
    for wanted in (*STRANGERS, FRENCH_IBAN):
        query = RecipientQuery(customer_id="alice", recipient=wanted, recipient_name=name)
        refused = policy.find_recipient(CUSTOMERS, query)
        assert isinstance(refused, Refusal)
        refusals.add((refused.why.replace(repr(wanted), "ID"), refused.status_code))
    assert len(refusals) == 1


def test_failure_notice_omits_the_rule_number() -> None:
    request = ScheduledTransferRequest.model_validate(payment(session_id="s", on="friday"))
    assert plans.failed(request, "A single transfer can be at most 5,000.00 EUR. (rule T1)") == (
        "Your scheduled transfer of 50.00 EUR to Bob Brandt failed: A single transfer can be at most 5,000.00 EUR."
    )


def test_scheduled_transfer_ids_are_never_reused() -> None:
    request = ScheduledTransferRequest.model_validate(payment(session_id="s", on="friday"))
    first = plans.schedule(Plan(), request, NOW, timedelta(minutes=1))
    assert isinstance(first, ScheduledTransfer)
    assert plans.scheduled_confirmation(first).summary == (
        "Your transfer T1 is scheduled: 50.00 EUR to Bob Brandt on Friday, 27 November 2026 at 08:00 UTC."
    )
    plan = Plan().with_next_number().with_entry(Pending(request=request, scheduled=first, timer_id="t"))
    gone = plans.find_pending(plan, "T1")
    assert isinstance(gone, Pending)
    second = plans.schedule(plan.without(gone.entry_id), request, NOW, timedelta(minutes=1))
    assert isinstance(second, ScheduledTransfer)
    assert second.schedule_id == "T2"
    assert isinstance(plans.find_pending(plan.without(gone.entry_id), "T1"), Refusal)
