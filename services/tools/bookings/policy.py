"""What can be booked, how it may be paid, what a cancellation costs: the rules that bookings keep. Pure."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from services.tools.bookings.contract import (
    ECONOMY_CANCELS_UNTIL,
    ECONOMY_FEE,
    FARES_CURRENCY,
    BookFlight,
    NamedDay,
    PaymentPart,
)
from services.tools.dates import coming
from services.tools.demo_data.airline import FlightData
from services.tools.payments.contract import Means
from services.tools.refusal import NOT_FOUND, Refusal
from services.tools.reservations.contract import Payment, Reservation
from switchboard.money import spell

BOOKABLE_DAYS_AHEAD = 330
BOOKING_CLOSES = dt.timedelta(hours=1)
"""Before departure."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS_RANGE = 10_000
CONFIRMATION_NUMBERS_RANGE = len(LETTERS) ** 2 * DIGITS_RANGE

# Of a fee, a card pays first: the money goes back where it is easiest to spend, and a certificate comes back whole.
FEE_ORDER = ("credit_card", "gift_card")


def day_of(date: dt.date | NamedDay, today: dt.date) -> dt.date:
    """The day that is meant; a weekday is the next one after today."""
    if isinstance(date, dt.date):
        return date
    if date == "today":
        return today
    if date == "tomorrow":
        return today + dt.timedelta(days=1)
    return coming(date, today)


def refuse_flight(flight: FlightData, date: dt.date, now: dt.datetime) -> Refusal | None:
    """A flight is on sale from 330 days to an hour before it leaves, unless it is cancelled."""
    day = f"{flight.number} on {date:%-d %B %Y}"
    if flight.disruption and flight.disruption.kind == "cancelled":
        return Refusal(f"{day} is cancelled. Search for another flight.")
    if flight.departure(date) - BOOKING_CLOSES <= now:
        return Refusal(f"{day} cannot be booked any more; booking closes an hour before departure. Choose a later day.")
    if (date - now.date()).days > BOOKABLE_DAYS_AHEAD:
        return Refusal(f"{day} is not on sale yet: tickets are sold {BOOKABLE_DAYS_AHEAD} days ahead.")
    return None


def refuse_passengers(passengers: Sequence[str]) -> Refusal | None:
    """Each seat is somebody's: two passengers of one name could not be told apart."""
    if len({name.casefold() for name in passengers}) < len(passengers):
        return Refusal("Two passengers have the same name. Give each with all first names.")
    return None


def refuse_payments(
    own: Sequence[Means], request: BookFlight, total: Decimal, currency: str = FARES_CURRENCY
) -> Refusal | None:
    """Payments are the customer's own means, each once, at most one certificate, and together exactly the price.

    Whether a means can bear its part is for the payments to say when it is charged.
    """
    by_id = {means.means_id: means for means in own}
    parts = request.payments
    for part in parts:
        if part.means_id not in by_id:
            names = ", ".join(by_id) or "none"
            return Refusal(f"There is no {part.means_id} among your means to pay. Yours: {names}.", NOT_FOUND)
        if by_id[part.means_id].currency != currency:
            foreign = by_id[part.means_id]
            return Refusal(
                f"{foreign.label} {foreign.means_id} is in {foreign.currency}, and the fare in {currency}."
                " Choose another means."
            )
    if len({part.means_id for part in parts}) < len(parts):
        return Refusal("A means to pay is named twice. Put its parts together.")
    if sum(by_id[part.means_id].kind == "certificate" for part in parts) > 1:
        return Refusal("At most one travel certificate can be used for a booking. Pay the rest otherwise.")
    return refuse_sum(parts, total, currency)


def refuse_sum(parts: Sequence[PaymentPart], total: Decimal, currency: str) -> Refusal | None:
    paid = sum((part.amount for part in parts), Decimal())
    if paid == total:
        return None
    off = f"{spell(abs(total - paid), currency)} {'too little' if paid < total else 'too much'}"
    return Refusal(f"The price is {spell(total, currency)}, and the payments add up to {spell(paid, currency)}: {off}.")


def confirmation_number(drawn: int) -> str:
    """The number that was drawn from CONFIRMATION_NUMBERS_RANGE, as two letters and four digits."""
    letters, digits = divmod(drawn, DIGITS_RANGE)
    first, second = divmod(letters, len(LETTERS))
    return f"{LETTERS[first]}{LETTERS[second]}{digits:04d}"


def cancellation_fee(booking: Reservation, now: dt.datetime) -> Decimal | Refusal:
    """What of the price is kept at `now`: nothing in business; in economy a fee, and it is too late on the last day."""
    if booking.cabin == "business":
        return Decimal()
    if booking.flights[0].departure - now < ECONOMY_CANCELS_UNTIL:
        hours = int(ECONOMY_CANCELS_UNTIL.total_seconds() // 3600)
        return Refusal(
            f"An economy booking can be cancelled until {hours} hours before departure; it is too late for"
            f" {booking.confirmation_number}."
        )
    return ECONOMY_FEE * len(booking.passengers)


def kept(payments: Sequence[Payment], fee: Decimal) -> dict[str, Decimal]:
    """What is kept of each payment, by its charge id, to make up the fee: cards pay first, certificates never.

    The fee is waived as far as only a certificate could pay it.
    """
    left = fee
    parts = {payment.charge_id: Decimal() for payment in payments}
    for kind in FEE_ORDER:
        for payment in payments:
            if payment.kind == kind:
                parts[payment.charge_id] = min(left, payment.amount)
                left -= parts[payment.charge_id]
    return parts
