"""A customer's current profile, and how payments, credits and certificates change it. Pure.

Payments stay open until the caller settles or undoes them. Undo adds the amounts back instead of restoring an old
state, so changes made in between are kept.
"""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field

from services.tools.airline.customers.contract import AddCertificate, Credit, Pay
from services.tools.airline.data.models import PaymentMethod, User
from switchboard.messages import WireModel
from switchboard.money import Money
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

BENCHMARK_CERTIFICATES = ("certificate_3221322", "certificate_3221323", "certificate_3221324")
RESERVATIONS_MAX = 500
COMPENSATIONS_MAX = 500
"""Per customer; these limits bound the size of the stored state."""


class OpenPayment(WireModel):
    """The changes of one operation that is not settled yet; undo needs them.

    It may have debited gift cards, used up certificates, added a reservation, or given a certificate.
    """

    debits: dict[str, Money] = Field(default_factory=dict)
    certificates: tuple[PaymentMethod, ...] = ()
    reservation_id: str | None = None
    given: str | None = Field(None, description="The certificate that was given")
    cause: str = Field("", description="What it was given for")


class Profile(WireModel):
    """The stored state of a customer; written once anything in the profile has changed."""

    user: User
    open_payments: dict[str, OpenPayment] = Field(default_factory=dict)
    compensated: tuple[str, ...] = ()

    def having(self, **fields: object) -> "Profile":
        """Return the profile with these user fields changed."""
        return self.model_copy(update={"user": self.user.model_copy(update=fields)})


def pay(profile: Profile, request: Pay) -> Profile | Refusal:
    """Return the profile after all these payments; unchanged if the operation has already paid."""
    if request.operation_id in profile.open_payments:
        return profile
    if request.reservation_id and len(profile.user.reservations) >= RESERVATIONS_MAX:
        return Refusal("You have reached the maximum number of reservations.")
    methods = dict(profile.user.payment_methods)
    opened = OpenPayment(reservation_id=request.reservation_id)
    for payment_id, amount in amounts_by_method(request).items():
        method = methods.get(payment_id)
        if method is None:
            return not_found(profile.user, payment_id)
        if method.amount is None:
            continue
        if amount > method.amount:
            return Refusal(f"The balance of {payment_id} is {method.amount:,.2f}, which does not cover {amount:,.2f}.")
        if method.source == "certificate":
            del methods[payment_id]
            opened = opened.model_copy(update={"certificates": (*opened.certificates, method)})
        else:
            methods[payment_id] = method.model_copy(update={"amount": method.amount - amount})
            opened = opened.model_copy(update={"debits": opened.debits | {payment_id: amount}})
    added = (request.reservation_id,) if request.reservation_id else ()
    paid = profile.having(payment_methods=methods, reservations=(*profile.user.reservations, *added))
    return paid.model_copy(update={"open_payments": profile.open_payments | {request.operation_id: opened}})


def amounts_by_method(request: Pay) -> dict[str, Decimal]:
    """Return the whole amount for each payment method: a request may name one twice, and a certificate works once."""
    amounts: dict[str, Decimal] = {}
    for part in request.parts:
        amounts[part.payment_id] = amounts.get(part.payment_id, Decimal()) + part.amount
    return amounts


def not_found(user: User, payment_id: str) -> Refusal:
    """Refuse another customer's and an unknown payment method with the same words, so that nothing leaks."""
    own = ", ".join(user.payment_methods) or "none"
    return Refusal(f"There is no payment method {payment_id} in your profile. Your payment methods: {own}.", NOT_FOUND)


def undo(profile: Profile, operation_id: str) -> Profile:
    """Return the profile without those payments; unchanged if they were never made or are settled."""
    opened = profile.open_payments.get(operation_id)
    if opened is None:
        return profile
    methods = dict(profile.user.payment_methods)
    for payment_id, taken in opened.debits.items():
        methods[payment_id] = topped_up(methods[payment_id], taken)
    methods |= {certificate.id: certificate for certificate in opened.certificates}
    if opened.given:
        methods.pop(opened.given, None)
    kept = tuple(one for one in profile.user.reservations if one != opened.reservation_id)
    causes = tuple(cause for cause in profile.compensated if cause != opened.cause)
    undone = profile.having(payment_methods=methods, reservations=kept).model_copy(update={"compensated": causes})
    return settle(undone, operation_id)


def settle(profile: Profile, operation_id: str) -> Profile:
    """Make the payments final by dropping the data that undo needs."""
    still = {one: opened for one, opened in profile.open_payments.items() if one != operation_id}
    return profile.model_copy(update={"open_payments": still})


def credit(profile: Profile, request: Credit) -> Profile:
    """Return the profile with the amount added to a gift card; unchanged for other payment methods."""
    method = profile.user.payment_methods.get(request.payment_id)
    if method is None or method.source != "gift_card":
        return profile
    methods = {**profile.user.payment_methods, request.payment_id: topped_up(method, request.amount)}
    return profile.having(payment_methods=methods)


def topped_up(method: PaymentMethod, amount: Decimal) -> PaymentMethod:
    return method.model_copy(update={"amount": (method.amount or Decimal()) + amount})


def add_certificate(profile: Profile, request: AddCertificate, ids: Iterator[str]) -> tuple[Profile, str] | Refusal:
    """Return the profile with a new certificate, and its id: the first one that is free. At most one per cause."""
    opened = profile.open_payments.get(request.operation_id)
    if opened is not None and opened.given:
        return profile, opened.given
    if request.cause and request.cause in profile.compensated:
        return Refusal("You have already received a certificate for this.")
    if len(profile.compensated) >= COMPENSATIONS_MAX:
        return Refusal("You have received the maximum number of certificates.")
    certificate_id = next(one for one in ids if one not in profile.user.payment_methods)
    certificate = PaymentMethod(source="certificate", id=certificate_id, amount=request.amount)
    given = profile.having(payment_methods={**profile.user.payment_methods, certificate_id: certificate})
    causes = (*profile.compensated, request.cause) if request.cause else profile.compensated
    opened = OpenPayment(given=certificate_id, cause=request.cause)
    opened_payments = profile.open_payments | {request.operation_id: opened}
    return given.model_copy(update={"compensated": causes, "open_payments": opened_payments}), certificate_id
