"""Rule for cancelled or flown reservations (rule C10). Pure."""

import datetime as dt

from services.tools.airline.data.models import Reservation
from services.tools.airline.reservations.itinerary import Flights, departed_flights
from switchboard.toolkit.refusal import Refusal


def refuse_closed(reservation: Reservation, flights: Flights, now: dt.datetime) -> Refusal | None:
    """Refuse to change a reservation that is cancelled or whose flights have all departed."""
    if reservation.status == "cancelled":
        why = "is cancelled"
    elif len(departed_flights(reservation, flights, now)) == len(reservation.flights):
        why = "has been flown"
    else:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} {why}, so it cannot be changed. Make a new booking.",
        rule="C10",
    )
