"""A customer as they stand: what payments, credits and certificates make of a profile. Pure.

Payments stay open until whoever asked for them says that they stand, or undoes them. Undoing adds what was taken, and
so it never minds what came in between.
"""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field

from services.tools.airline.customers.contract import AddCertificate, Credit, Pay
from services.tools.airline.data.records import PaymentMethod, User
from switchboard.messages import WireModel
from switchboard.money import Money
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

BENCHMARK_CERTIFICATES = ("certificate_3221322", "certificate_3221323", "certificate_3221324")
RESERVATIONS_MAX = 500
COMPENSATIONS_MAX = 500
"""Of one customer: what is kept has a limit."""


class OpenPayment(WireModel):
    """What an operation has done: taken from gift cards, taken certificates whole, added a reservation, or given a
    certificate."""

    debits: dict[str, Money] = Field(default_factory=dict)
    certificates: tuple[PaymentMethod, ...] = ()
    reservation_id: str | None = None
    given: str | None = Field(None, description="A certificate that was given")
    cause: str = Field("", description="For what it was given")


class Profile(WireModel):
    """All that is kept of a customer: the whole profile, once something in it has changed."""

    user: User
    open_payments: dict[str, OpenPayment] = Field(default_factory=dict)
    compensated: tuple[str, ...] = ()

    def having(self, **fields: object) -> "Profile":
        """The profile with these fields of the user changed."""
        return self.model_copy(update={"user": self.user.model_copy(update=fields)})


def pay(profile: Profile, request: Pay) -> Profile | Refusal:
    """The profile after these payments, all of them; the same when they were made before under that id."""
    if request.operation_id in profile.open_payments:
        return profile
    if request.reservation_id and len(profile.user.reservations) >= RESERVATIONS_MAX:
        return Refusal("You have too many reservations.")
    methods = dict(profile.user.payment_methods)
    opened = OpenPayment(reservation_id=request.reservation_id)
    for part in request.parts:
        method = methods.get(part.payment_id)
        if method is None:
            return not_found(profile.user, part.payment_id)
        if method.amount is None:
            continue
        if part.amount > method.amount:
            return Refusal(f"{part.payment_id} has {method.amount:,.2f} left, which does not cover {part.amount:,.2f}.")
        if method.source == "certificate":
            del methods[part.payment_id]
            opened = opened.model_copy(update={"certificates": (*opened.certificates, method)})
        else:
            methods[part.payment_id] = method.model_copy(update={"amount": method.amount - part.amount})
            taken = opened.debits.get(part.payment_id, Decimal()) + part.amount
            opened = opened.model_copy(update={"debits": opened.debits | {part.payment_id: taken}})
    added = (request.reservation_id,) if request.reservation_id else ()
    paid = profile.having(payment_methods=methods, reservations=(*profile.user.reservations, *added))
    return paid.model_copy(update={"open_payments": profile.open_payments | {request.operation_id: opened}})


def not_found(user: User, payment_id: str) -> Refusal:
    """One answer for another customer's and for nobody's: no leak."""
    own = ", ".join(user.payment_methods) or "none"
    return Refusal(f"There is no payment method {payment_id} in your profile. Yours: {own}.", NOT_FOUND)


def undo(profile: Profile, operation_id: str) -> Profile:
    """The profile without those payments; the same when they were never made, or stand."""
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
    """The payments stand: what undoing them would need is forgotten."""
    still = {one: opened for one, opened in profile.open_payments.items() if one != operation_id}
    return profile.model_copy(update={"open_payments": still})


def credit(profile: Profile, request: Credit) -> Profile:
    """The profile with money back on a gift card. Does nothing for what holds no money."""
    method = profile.user.payment_methods.get(request.payment_id)
    if method is None or method.source != "gift_card":
        return profile
    methods = {**profile.user.payment_methods, request.payment_id: topped_up(method, request.amount)}
    return profile.having(payment_methods=methods)


def topped_up(method: PaymentMethod, amount: Decimal) -> PaymentMethod:
    return method.model_copy(update={"amount": (method.amount or Decimal()) + amount})


def add_certificate(profile: Profile, request: AddCertificate, ids: Iterator[str]) -> tuple[Profile, str] | Refusal:
    """The profile with a certificate under the first of the ids that is free, and that id; once for a cause."""
    opened = profile.open_payments.get(request.operation_id)
    if opened is not None and opened.given:
        return profile, opened.given
    if request.cause and request.cause in profile.compensated:
        return Refusal("For this you were given a certificate already.")
    if len(profile.compensated) >= COMPENSATIONS_MAX:
        return Refusal("You have been given too many certificates.")
    certificate_id = next(one for one in ids if one not in profile.user.payment_methods)
    certificate = PaymentMethod(source="certificate", id=certificate_id, amount=request.amount)
    given = profile.having(payment_methods={**profile.user.payment_methods, certificate_id: certificate})
    causes = (*profile.compensated, request.cause) if request.cause else profile.compensated
    opened = OpenPayment(given=certificate_id, cause=request.cause)
    opened_payments = profile.open_payments | {request.operation_id: opened}
    return given.model_copy(update={"compensated": causes, "open_payments": opened_payments}), certificate_id
