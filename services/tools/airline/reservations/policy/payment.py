"""Payment-method rules for bookings and changes: ownership, count and balance (rules P1 to P6). Pure."""

from decimal import Decimal

from services.tools.airline.data.records import MeansKind, PaymentMethod, User
from services.tools.airline.reservations.contract import BookReservation
from services.tools.airline.rules import CERTIFICATES_MAX, CREDIT_CARDS_MAX, CURRENCY, GIFT_CARDS_MAX
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

METHODS_MAX: dict[MeansKind, tuple[int, str]] = {
    "certificate": (CERTIFICATES_MAX, "travel certificate"),
    "credit_card": (CREDIT_CARDS_MAX, "credit card"),
    "gift_card": (GIFT_CARDS_MAX, "gift cards"),
}


def refuse_method_mix(request: BookReservation, user: User) -> Refusal | None:
    used = {part.payment_id for part in request.payment_methods}
    kinds = [user.payment_methods[means].source for means in used if means in user.payment_methods]
    for kind, (most, name) in METHODS_MAX.items():
        if kinds.count(kind) > most:
            return Refusal(
                f"A booking is paid with at most {most} {name}, and {kinds.count(kind)} were named."
                " Pay the rest with another means.",
                rule="P2",
            )
    return None


def refuse_methods(request: BookReservation, user: User) -> Refusal | None:
    """Each means is the user's and bears all its parts together."""
    for means_id in dict.fromkeys(part.payment_id for part in request.payment_methods):
        amount = sum((part.amount for part in request.payment_methods if part.payment_id == means_id), Decimal())
        means = user.payment_methods.get(means_id)
        refusal = refuse_insufficient(means, amount) if means else unknown_method(means_id, user)
        if refusal:
            return refusal
    return None


def refuse_sum(request: BookReservation, price: Decimal) -> Refusal | None:
    paid = sum((part.amount for part in request.payment_methods), Decimal())
    if any(part.amount < 0 for part in request.payment_methods):
        return Refusal("No payment can be negative. Say what each means pays.", rule="P3")
    if paid == price:
        return None
    return Refusal(
        f"The price is {format_amount(price, CURRENCY)}, and the payments add up to {format_amount(paid, CURRENCY)}:"
        f" {format_amount(abs(price - paid), CURRENCY)} too {'little' if paid < price else 'much'}."
        " Agree on the parts anew.",
        rule="P3",
    )


def refuse_single_method(means_id: str, user: User, price: Decimal) -> Refusal | None:
    """The one means that pays for a change, or takes the refund."""
    means = user.payment_methods.get(means_id)
    if means is None:
        return unknown_method(means_id, user)
    if means.source == "certificate":
        return Refusal("A travel certificate cannot pay for a change. Name a credit card or a gift card.", rule="P6")
    return refuse_insufficient(means, price)


def refuse_insufficient(means: PaymentMethod, amount: Decimal) -> Refusal | None:
    """A credit card has no limit that the airline knows."""
    if means.source == "credit_card" or amount <= (means.amount or Decimal()):
        return None
    return Refusal(
        f"{means.id} holds {format_amount(means.amount or Decimal(), CURRENCY)}, which does not pay"
        f" {format_amount(amount, CURRENCY)}. Choose another means of payment.",
        rule="P4",
    )


def unknown_method(means_id: str, user: User) -> Refusal:
    names = ", ".join(user.payment_methods) or "none"
    return Refusal(f"There is no {means_id} in the customer's profile. There are: {names}.", NOT_FOUND, "P1")
