"""The confirmation e-mail after a booking, cancellation or change. Pure."""

from services.tools.airline.data.models import Reservation, User
from services.tools.airline.reservations.prices import owed_bags
from services.tools.airline.rules import BAG_PRICE, CURRENCY
from switchboard.builtin.outbox.contract import Delivery
from switchboard.money import format_amount


def confirmation_email(user: User, reservation: Reservation, what: str, email_id: str) -> Delivery:
    """Return the e-mail. `what` is what happened to the reservation: booked, cancelled or changed."""
    flights = "\n".join(
        f"{flight.flight_number} {flight.origin} to {flight.destination} on {flight.date}"
        for flight in reservation.flights
    )
    people = ", ".join(f"{person.first_name} {person.last_name}" for person in reservation.passengers)
    payments = "\n".join(
        f"{format_amount(payment.amount, CURRENCY)} {payment.payment_id}" for payment in reservation.payment_history
    )
    return Delivery(
        email_id=email_id,
        to=user.email,
        subject=f"Reservation {reservation.reservation_id} {what}",
        body=f"Dear {user.name.first_name} {user.name.last_name},\n\nyour reservation {reservation.reservation_id} has"
        f" been {what}.\n\n{flights}\n{reservation.cabin.replace('_', ' ')}, for {people}{bags_due(user, reservation)}"
        f"\n\nPayments:\n{payments}",
    )


def bags_due(user: User, reservation: Reservation) -> str:
    """Return the note about bags that the new cabin makes payable; empty for a cancelled reservation."""
    count = 0 if reservation.status == "cancelled" else owed_bags(user.membership, reservation)
    if not count:
        return ""
    return (
        f"\n\n{count} of your {reservation.total_baggages} checked bags {'is' if count == 1 else 'are'} not free in"
        f" this cabin. The amount due is {format_amount(BAG_PRICE * count, CURRENCY)}."
    )
