"""Payment-method rules for bookings and changes: ownership, count and balance (rules P1 to P6). Pure."""

from decimal import Decimal

from services.tools.airline.data.models import PaymentMethod, PaymentMethodKind, User
from services.tools.airline.reservations.contract import BookReservation
from services.tools.airline.rules import CERTIFICATES_MAX, CREDIT_CARDS_MAX, CURRENCY, GIFT_CARDS_MAX
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

METHODS_MAX: dict[PaymentMethodKind, tuple[int, str]] = {
    "certificate": (CERTIFICATES_MAX, "travel certificate"),
    "credit_card": (CREDIT_CARDS_MAX, "credit card"),
    "gift_card": (GIFT_CARDS_MAX, "gift cards"),
}


def refuse_method_mix(request: BookReservation, user: User) -> Refusal | None:
    used = {part.payment_id for part in request.payment_methods}
    kinds = [user.payment_methods[method].source for method in used if method in user.payment_methods]
    for kind, (most, name) in METHODS_MAX.items():
        if kinds.count(kind) > most:
            return Refusal(
                f"A booking can be paid with at most {most} {name}, and {kinds.count(kind)} were named."
                " Use another payment method for the rest.",
                rule="P2",
            )
    return None


def refuse_methods(request: BookReservation, user: User) -> Refusal | None:
    """Refuse payment methods that are not the user's, or whose balance does not cover the sum of their parts."""
    for payment_id in dict.fromkeys(part.payment_id for part in request.payment_methods):
        amount = sum((part.amount for part in request.payment_methods if part.payment_id == payment_id), Decimal())
        method = user.payment_methods.get(payment_id)
        refusal = refuse_insufficient(method, amount) if method else unknown_method(payment_id, user)
        if refusal:
            return refusal
    return None


def refuse_sum(request: BookReservation, price: Decimal) -> Refusal | None:
    paid = sum((part.amount for part in request.payment_methods), Decimal())
    if any(part.amount < 0 for part in request.payment_methods):
        return Refusal("A payment cannot be negative. State the amount for each payment method.", rule="P3")
    if paid == price:
        return None
    return Refusal(
        f"The price is {format_amount(price, CURRENCY)}, but the payments add up to {format_amount(paid, CURRENCY)},"
        f" which is {format_amount(abs(price - paid), CURRENCY)} too {'little' if paid < price else 'much'}. Agree on"
        " new amounts with the customer.",
        rule="P3",
    )


def refuse_single_method(payment_id: str, user: User, price: Decimal) -> Refusal | None:
    """Refuse a payment method that cannot pay for a change or take its refund."""
    method = user.payment_methods.get(payment_id)
    if method is None:
        return unknown_method(payment_id, user)
    if method.source == "certificate":
        return Refusal("A travel certificate cannot pay for a change. Name a credit card or a gift card.", rule="P6")
    return refuse_insufficient(method, price)


def refuse_insufficient(method: PaymentMethod, amount: Decimal) -> Refusal | None:
    """Refuse a balance that is too low. The airline does not know a credit card's limit."""
    if method.source == "credit_card" or amount <= (method.amount or Decimal()):
        return None
    return Refusal(
        f"The balance of {method.id} is {format_amount(method.amount or Decimal(), CURRENCY)}, which does not cover"
        f" {format_amount(amount, CURRENCY)}. Choose another payment method.",
        rule="P4",
    )


def unknown_method(payment_id: str, user: User) -> Refusal:
    names = ", ".join(user.payment_methods) or "none"
    return Refusal(
        f"There is no payment method {payment_id} in the customer's profile. The profile has: {names}.", NOT_FOUND, "P1"
    )
