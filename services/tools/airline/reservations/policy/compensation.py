"""Rules for compensation: who gets a travel certificate for a disrupted flight, and how much (rules K2 to K6). Pure.

A call that names no reservation is checked against all of the customer's. It is allowed if one of them entitles the
customer to exactly that amount. The tools have only the model's word that the customer asked for compensation (K1).

Flights that are still in the reservation count with their current disruption. Flights that the customer has changed or
cancelled count with the disruption, and the cabin, at the time of that change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.tools.airline.data.models import User
from services.tools.airline.flights.contract import seats_key
from services.tools.airline.reservations.contract import SendCertificate
from services.tools.airline.reservations.itinerary import Flights, FlightState, key_of
from services.tools.airline.reservations.stored_reservation import DISRUPTIONS_MAX, Disruption, StoredReservation
from services.tools.airline.rules import (
    CANCELLED_FLIGHT_COMPENSATION,
    CURRENCY,
    DELAYED_FLIGHT_COMPENSATION,
)
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

Reason = Literal["cancelled_flight", "delayed_flight"]
Status = Literal["cancelled", "delayed"]

REASONS: dict[Status, Reason] = {"cancelled": "cancelled_flight", "delayed": "delayed_flight"}
AMOUNTS: dict[Status, Decimal] = {
    "cancelled": CANCELLED_FLIGHT_COMPENSATION,
    "delayed": DELAYED_FLIGHT_COMPENSATION,
}


@dataclass(frozen=True)
class Claim:
    """A stored reservation, and whether a certificate was given for it."""

    kept: StoredReservation
    compensated: bool = False


@dataclass(frozen=True)
class AffectedFlight:
    """A disruption, and whether the reservation was changed or cancelled during it."""

    disruption: Disruption
    handled: bool


def disruptions_now(stored: StoredReservation, flights: Flights) -> tuple[Disruption, ...]:
    """Return the current disruptions of the flights in the reservation.

    A delay that was known when the flight was booked here does not count. Otherwise customers could book flights that
    are late every day just for the compensation.
    """
    reservation = stored.reservation
    if reservation.status == "cancelled":
        return ()
    held = [flights[key] for key in map(key_of, reservation.flights) if key in flights]
    return tuple(
        Disruption(flight_number=flight.flight_number, date=flight.date, status=status, cabin=reservation.cabin)
        for flight in held
        for status in REASONS
        if flight.day.status == status and not known_at_booking(stored, flight)
    )


def known_at_booking(stored: StoredReservation, flight: FlightState) -> bool:
    return flight.late_every_day and seats_key(flight.flight_number, flight.date) in stored.holds


def with_disruptions(stored: StoredReservation, flights: Flights) -> StoredReservation:
    """Return the reservation with its flights' current disruptions, for a write that changes or cancels it.

    A disruption that is already stored for a flight is kept as it is.
    """
    known = {(one.flight_number, one.date) for one in stored.disruptions}
    new = (one for one in disruptions_now(stored, flights) if (one.flight_number, one.date) not in known)
    return stored.model_copy(update={"disruptions": (*stored.disruptions, *new)[:DISRUPTIONS_MAX]})


def may_compensate(request: SendCertificate, user: User, claims: Sequence[Claim], flights: Flights) -> Refusal | None:
    """Refuse a certificate that the rules do not allow. `claims` are all of the customer's reservations.

    `flights` holds the flights of all of them.
    """
    found = claim_for(request, user, claims, flights)
    return found if isinstance(found, Refusal) else None


def claim_for(request: SendCertificate, user: User, claims: Sequence[Claim], flights: Flights) -> Claim | Refusal:
    """Return the reservation that the certificate compensates, or the refusal."""
    named = [claim for claim in claims if request.reservation_id in (None, claim.kept.reservation.reservation_id)]
    if request.reservation_id and not named:
        return Refusal(
            f"The customer has no reservation {request.reservation_id}. Check the reservation id.",
            NOT_FOUND,
            "G1",
        )
    refusals = []
    for claim in named:
        refusal = refuse_claim(request, user, claim, flights)
        if refusal is None:
            return claim
        refusals.append(refusal)
    return most_relevant(refusals)


def refuse_claim(request: SendCertificate, user: User, claim: Claim, flights: Flights) -> Refusal | None:
    """Allow the claim if any of its disruptions does; otherwise return the most relevant refusal."""
    affected = [
        one for one in affected_flights(claim, flights) if request.reason in (None, REASONS[one.disruption.status])
    ]
    if not affected:
        return NOT_ELIGIBLE
    refusals = [refuse_affected_flight(request, user, claim, flight) for flight in affected]
    if None in refusals:
        return None
    return most_relevant([refusal for refusal in refusals if refusal])


def affected_flights(claim: Claim, flights: Flights) -> tuple[AffectedFlight, ...]:
    before = claim.kept.disruptions
    of_before = {(one.flight_number, one.date) for one in before}
    now = [one for one in disruptions_now(claim.kept, flights) if (one.flight_number, one.date) not in of_before]
    return (
        *(AffectedFlight(one, handled=True) for one in before),
        *(AffectedFlight(one, handled=False) for one in now),
    )


def refuse_affected_flight(
    request: SendCertificate, user: User, claim: Claim, flight: AffectedFlight
) -> Refusal | None:
    reservation, disruption = claim.kept.reservation, flight.disruption
    number = reservation.reservation_id
    if user.membership == "regular" and reservation.insurance == "no" and disruption.cabin != "business":
        return Refusal(
            f"Reservation {number} cannot be compensated: the customer is a regular member, the reservation is not"
            " insured, and it was not in business when its flight was disrupted.",
            rule="K2",
        )
    if claim.compensated:
        return Refusal(f"Reservation {number} has already been compensated and cannot be compensated again.", rule="K6")
    if disruption.status == "delayed" and not flight.handled:
        return Refusal(
            f"Reservation {number} can be compensated for its delayed flight only after the reservation was changed or"
            " cancelled because of the delay. Offer that first.",
            rule="K4",
        )
    due = AMOUNTS[disruption.status] * len(reservation.passengers)
    if request.amount != due:
        return Refusal(
            f"The certificate for the {disruption.status} flight of reservation {number} is exactly"
            f" {format_amount(due, CURRENCY)}, not {format_amount(request.amount, CURRENCY)}.",
            rule="K5",
        )
    return None


NOT_ELIGIBLE = Refusal(
    "No flight of the reservation is cancelled or delayed, or the delay was known at booking. Nothing else is"
    " compensated. Check which reservation the customer means.",
    rule="K3",
)

# Rules from least to most relevant; the customer gets the refusal that is closest to being allowed.
RELEVANCE = ("K3", "K2", "K6", "K4", "K5")


def most_relevant(refusals: Sequence[Refusal]) -> Refusal:
    return max(refusals, key=lambda refusal: RELEVANCE.index(refusal.rule), default=NOT_ELIGIBLE)
