"""What a customer is written of a reservation that was made, cancelled or changed. Pure."""

from services.tools.airline_data.records import Reservation, User
from services.tools.airline_rules.contract import CURRENCY
from services.tools.outbox.contract import Delivery
from switchboard.money import spell


def letter(user: User, reservation: Reservation, what: str, email_id: str) -> Delivery:
    """The e-mail to the customer; `what` has become of the reservation, in a word or two."""
    flights = "\n".join(
        f"{flight.flight_number} {flight.origin} to {flight.destination} on {flight.date}"
        for flight in reservation.flights
    )
    people = ", ".join(f"{person.first_name} {person.last_name}" for person in reservation.passengers)
    payments = "\n".join(
        f"{spell(payment.amount, CURRENCY)} {payment.payment_id}" for payment in reservation.payment_history
    )
    return Delivery(
        email_id=email_id,
        to=user.email,
        subject=f"Reservation {reservation.reservation_id} {what}",
        body=f"Dear {user.name.first_name} {user.name.last_name},\n\nyour reservation {reservation.reservation_id} is"
        f" {what}.\n\n{flights}\n{reservation.cabin.replace('_', ' ')}, for {people}\n\nPayments:\n{payments}",
    )
