"""Which reservations may be cancelled (rules X2 to X4). Pure."""

import datetime as dt

from services.tools.airline.data.records import Reservation
from services.tools.airline.reservations.contract import CancelReservation
from services.tools.airline.reservations.itinerary import Flights, keys_of, left, moment
from services.tools.airline.reservations.policy.wording import named
from services.tools.airline.rules import CANCELLABLE_HOURS
from switchboard.toolkit.refusal import Refusal

COVERED_REASONS = ("health", "weather")


def may_cancel(
    request: CancelReservation, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether the reservation may be cancelled. `flights` holds its flights."""
    return (
        can_cancel(reservation)
        or refuse_cancelling_flown(reservation, flights, now)
        or refuse_ground(request, reservation, flights, now)
    )


def can_cancel(reservation: Reservation) -> Refusal | None:
    """Whether there is anything to cancel."""
    if reservation.status != "cancelled":
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} is cancelled already; there is nothing left to do.", rule="X4"
    )


def refuse_cancelling_flown(reservation: Reservation, flights: Flights, now: dt.datetime) -> Refusal | None:
    flown = left(reservation, flights, now)
    if not flown:
        return None
    return Refusal(
        f"{named(flown[0])} of reservation {reservation.reservation_id} has left, so it cannot be cancelled here."
        " A person has to see to it: ask to be transferred.",
        rule="X2",
    )


def refuse_ground(
    request: CancelReservation, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """One ground to cancel is enough."""
    fresh = now - moment(reservation.created_at) <= dt.timedelta(hours=CANCELLABLE_HOURS)
    dropped = any(key in flights and flights[key].day.status == "cancelled" for key in keys_of(reservation.flights))
    covered = reservation.insurance == "yes" and request.reason in (None, *COVERED_REASONS)
    if fresh or dropped or covered or reservation.cabin == "business":
        return None
    insured = (
        "the reason is not one that its insurance covers" if reservation.insurance == "yes" else "it is not insured"
    )
    changeable = "Its cabin" if reservation.cabin == "basic_economy" else "Its flights and its cabin"
    return Refusal(
        f"Reservation {reservation.reservation_id} cannot be cancelled: it was booked more than {CANCELLABLE_HOURS}"
        f" hours ago, the airline has cancelled none of its flights, it is not business, and {insured}."
        f" {changeable} can be changed instead.",
        rule="X3",
    )
