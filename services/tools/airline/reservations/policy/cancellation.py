"""Rules for cancellations (rules X2 to X4). Pure."""

import datetime as dt

from services.tools.airline.data.models import Reservation
from services.tools.airline.reservations.contract import CancelReservation
from services.tools.airline.reservations.itinerary import Flights, departed_flights, keys_of, parse_time
from services.tools.airline.reservations.policy.wording import format_flight_key
from services.tools.airline.rules import CANCELLABLE_HOURS
from switchboard.toolkit.refusal import Refusal

COVERED_REASONS = ("health", "weather")


def may_cancel(
    request: CancelReservation, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Refuse a cancellation that the rules do not allow. `flights` holds the reservation's flights."""
    return (
        can_cancel(reservation)
        or refuse_cancelling_flown(reservation, flights, now)
        or refuse_without_reason(request, reservation, flights, now)
    )


def can_cancel(reservation: Reservation) -> Refusal | None:
    """Refuse to cancel a reservation twice."""
    if reservation.status != "cancelled":
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} is already cancelled. There is nothing left to do.", rule="X4"
    )


def refuse_cancelling_flown(reservation: Reservation, flights: Flights, now: dt.datetime) -> Refusal | None:
    flown = departed_flights(reservation, flights, now)
    if not flown:
        return None
    return Refusal(
        f"{format_flight_key(flown[0])} of reservation {reservation.reservation_id} has already departed, so it cannot"
        " be cancelled here. A human agent can help: ask to be transferred.",
        rule="X2",
    )


def refuse_without_reason(
    request: CancelReservation, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """One valid reason is enough."""
    fresh = now - parse_time(reservation.created_at) <= dt.timedelta(hours=CANCELLABLE_HOURS)
    dropped = any(key in flights and flights[key].day.status == "cancelled" for key in keys_of(reservation.flights))
    covered = reservation.insurance == "yes" and request.reason in (None, *COVERED_REASONS)
    if fresh or dropped or covered or reservation.cabin == "business":
        return None
    insured = "its insurance does not cover this reason" if reservation.insurance == "yes" else "it is not insured"
    changeable = "Its cabin" if reservation.cabin == "basic_economy" else "Its flights and its cabin"
    return Refusal(
        f"Reservation {reservation.reservation_id} cannot be cancelled: it was booked more than {CANCELLABLE_HOURS}"
        f" hours ago, the airline has not cancelled any of its flights, it is not in business, and {insured}."
        f" {changeable} can be changed instead.",
        rule="X3",
    )
