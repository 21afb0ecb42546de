"""What a customer is told of a booking that was made or cancelled: the answer and the e-mail. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.tools.bookings.contract import BookingCancelled, FlightBooked, PaidPart
from services.tools.demo_data.airline import CustomerData, FlightData
from services.tools.outbox.contract import Delivery
from services.tools.reservations.contract import NewBooking, PaidBooking, Payment
from switchboard.money import spell


def booked(booking: NewBooking, flight: FlightData, total: Decimal) -> FlightBooked:
    """That the booking stands."""
    parts = tuple(paid_part(payment, payment.amount) for payment in booking.payments)
    seats = f"seat{'s' if len(booking.seats) > 1 else ''} {', '.join(booking.seats)}"
    summary = (
        f"Booked: {booking.confirmation_number}, {flight.number} from {flight.origin} to {flight.destination} on"
        f" {booking.date:%-d %B %Y} at {flight.departs:%H:%M} UTC, {booking.cabin}, {seats}, for"
        f" {', '.join(booking.passengers)}. Paid {spell(total, booking.currency)}:"
        f" {spell_parts(parts, booking.currency)}."
    )
    return FlightBooked(
        summary=summary,
        confirmation_number=booking.confirmation_number,
        flight_number=booking.flight_number,
        date=booking.date,
        cabin=booking.cabin,
        passengers=booking.passengers,
        seats=booking.seats,
        total=total,
        currency=booking.currency,
        payments=parts,
    )


def cancelled(paid: PaidBooking, kept: Mapping[str, Decimal]) -> BookingCancelled:
    """That the booking is cancelled, and what goes back where; `kept` is by charge id."""
    booking = paid.reservation
    back = [(payment, payment.amount - kept[payment.charge_id]) for payment in paid.payments]
    parts = tuple(paid_part(payment, amount) for payment, amount in back if amount)
    fee = sum(kept.values(), Decimal())
    fee_told = f"A fee of {spell(fee, booking.currency)} is kept." if fee else "There is no fee."
    refunds = spell_parts(parts, booking.currency) if parts else "nothing"
    return BookingCancelled(
        summary=f"Booking {booking.confirmation_number} is cancelled. {fee_told} Refunded: {refunds}.",
        confirmation_number=booking.confirmation_number,
        fee=fee,
        refunded=sum((part.amount for part in parts), Decimal()),
        currency=booking.currency,
        refunds=parts,
    )


def paid_part(payment: Payment, amount: Decimal) -> PaidPart:
    return PaidPart(means_id=payment.means_id, label=payment.label, amount=amount)


def spell_parts(parts: Sequence[PaidPart], currency: str) -> str:
    return ", ".join(f"{spell(part.amount, currency)} {part.label} ({part.means_id})" for part in parts)


def booking_email(told: FlightBooked, customer: CustomerData, email_id: str) -> Delivery:
    subject = f"Booking {told.confirmation_number} confirmed"
    return letter(customer.name, customer.email, subject, told.summary, email_id)


def cancellation_email(told: BookingCancelled, paid: PaidBooking, email_id: str) -> Delivery:
    subject = f"Booking {told.confirmation_number} cancelled"
    return letter(paid.name, paid.email, subject, told.summary, email_id)


def letter(name: str, address: str, subject: str, text: str, email_id: str) -> Delivery:
    return Delivery(email_id=email_id, to=address, subject=subject, body=f"Dear {name},\n\n{text}")
