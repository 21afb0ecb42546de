"""Reservations that are over: cancelled, or flown (rule C10). Pure."""

import datetime as dt

from services.tools.airline.data.records import Reservation
from services.tools.airline.reservations.itinerary import Flights, left
from switchboard.toolkit.refusal import Refusal


def refuse_settled(reservation: Reservation, flights: Flights, now: dt.datetime) -> Refusal | None:
    """What is cancelled or over is not changed any more."""
    if reservation.status == "cancelled":
        why = "is cancelled"
    elif len(left(reservation, flights, now)) == len(reservation.flights):
        why = "has been flown"
    else:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} {why}, so nothing of it can be changed. Make a new booking.",
        rule="C10",
    )
