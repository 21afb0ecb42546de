"""Payments and their undo change a customer's balances correctly in any order."""

import itertools
from decimal import Decimal

import pytest

from services.tools.airline.customers.contract import AddCertificate, Credit, Pay
from services.tools.airline.customers.profile import Profile, add_certificate, credit, pay, settle, undo
from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.reservations.contract import PaymentPart
from switchboard.toolkit.refusal import Refusal

ALICE = Profile(user=read_data(DEFAULT_DATA).users["alice"])


def request(operation_id: str, *parts: tuple[str, str], reservation_id: str | None = None) -> Pay:
    paid = tuple(PaymentPart(payment_id=payment_id, amount=Decimal(amount)) for payment_id, amount in parts)
    return Pay(operation_id=operation_id, parts=paid, reservation_id=reservation_id)


def paid(profile: Profile, asked: Pay) -> Profile:
    found = pay(profile, asked)
    assert isinstance(found, Profile), found
    return found


def money(profile: Profile) -> dict[str, Decimal | None]:
    return {one.id: one.amount for one in profile.user.payment_methods.values() if one.amount is not None}


THREE = request(
    "op1", ("gift_card_1207", "20"), ("certificate_5001", "30"), ("credit_card_4242", "9"), reservation_id="N"
)


def test_payment_debits_gift_card_uses_up_certificate_and_leaves_card() -> None:
    after = paid(ALICE, THREE)
    assert money(after) == {"gift_card_1207": Decimal(100)}
    assert after.user.reservations == (*ALICE.user.reservations, "N")
    assert paid(after, THREE) == after
    assert undo(after, "op1") == ALICE
    assert undo(settle(after, "op1"), "op1") == settle(after, "op1")
    assert undo(ALICE, "op1") == ALICE


@pytest.mark.parametrize(
    "parts",
    [
        (("gift_card_1207", "20"), ("gift_card_1207", "101")),
        (("gift_card_1207", "20"), ("certificate_5001", "50.01")),
        (("certificate_5001", "50"), ("certificate_5001", "1")),
        (("gift_card_1207", "20"), ("gift_card_2210", "1")),
    ],
)
def test_payment_is_refused_as_a_whole_when_one_part_cannot_be_paid(parts: tuple[tuple[str, str], ...]) -> None:
    assert isinstance(pay(ALICE, request("op1", *parts)), Refusal)


def test_certificate_named_twice_is_used_once_for_both_amounts() -> None:
    twice = request("op1", ("certificate_5001", "20"), ("certificate_5001", "30"), ("gift_card_1207", "5"))
    after = paid(ALICE, twice)
    assert money(after) == {"gift_card_1207": Decimal(115)}
    assert undo(after, "op1") == ALICE


def test_payments_can_be_undone_in_any_order() -> None:
    second = request("op2", ("gift_card_1207", "30"))
    both = paid(paid(ALICE, THREE), second)
    for order in itertools.permutations(("op1", "op2")):
        undone = both
        for operation_id in order:
            undone = undo(undone, operation_id)
        assert undone == ALICE


def test_credit_changes_gift_cards_only() -> None:
    assert money(credit(ALICE, Credit(payment_id="gift_card_1207", amount=Decimal(5))))["gift_card_1207"] == 125
    for other in ("credit_card_4242", "certificate_5001", "gift_card_2210"):
        assert credit(ALICE, Credit(payment_id=other, amount=Decimal(5))) == ALICE


def certificate(operation_id: str, cause: str = "AB4568") -> AddCertificate:
    return AddCertificate(operation_id=operation_id, amount=Decimal(100), cause=cause)


def test_certificate_gets_first_free_id_and_is_given_once_per_cause() -> None:
    ids = ("certificate_5001", "certificate_1", "certificate_2")
    given = add_certificate(ALICE, certificate("op1"), iter(ids))
    assert not isinstance(given, Refusal)
    after, name = given
    assert (name, money(after)[name]) == ("certificate_1", Decimal(100))
    assert add_certificate(after, certificate("op1"), iter(ids)) == (after, name)
    assert isinstance(add_certificate(after, certificate("op2"), iter(ids)), Refusal)
    assert not isinstance(add_certificate(after, certificate("op2", "AB1207"), iter(ids)), Refusal)
    assert undo(after, "op1") == ALICE
