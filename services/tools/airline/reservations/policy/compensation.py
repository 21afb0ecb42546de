"""Who gets a travel certificate for a cancelled or delayed flight, and of how much: the rules K2 to K6. Pure.

A call that names no reservation is judged by all of the customer's: it is allowed when one of them gives ground for
exactly that amount. That the customer complains, and asks for a compensation (K1), is the model's word.

A disruption counts as it was when the reservation had to do with it: that of a flight which it still holds as it is
now, that of one which it was changed or cancelled for as it was then, with the cabin of then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.tools.airline.data.records import User
from services.tools.airline.flights.contract import seats_key
from services.tools.airline.reservations.contract import SendCertificate
from services.tools.airline.reservations.itinerary import Flights, FlightState, key_of
from services.tools.airline.reservations.record import DISRUPTIONS_MAX, Disruption, StoredReservation
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
    """A reservation with what it went through here, and whether a certificate was given for it."""

    kept: StoredReservation
    compensated: bool = False


@dataclass(frozen=True)
class Ground:
    """A disruption, and whether the reservation was changed or cancelled while it lasted."""

    disruption: Disruption
    dealt_with: bool


def disruptions_now(kept: StoredReservation, flights: Flights) -> tuple[Disruption, ...]:
    """What is wrong now with flights that the reservation holds. A delay that was known when a flight was booked here
    is none, or whoever books a flight that is late every day would live on it."""
    reservation = kept.reservation
    if reservation.status == "cancelled":
        return ()
    held = [flights[key] for key in map(key_of, reservation.flights) if key in flights]
    return tuple(
        Disruption(flight_number=flight.flight_number, date=flight.date, status=status, cabin=reservation.cabin)
        for flight in held
        for status in REASONS
        if flight.day.status == status and not known_at_booking(kept, flight)
    )


def known_at_booking(kept: StoredReservation, flight: FlightState) -> bool:
    return flight.late_every_day and seats_key(flight.flight_number, flight.date) in kept.holds


def with_disruptions(kept: StoredReservation, flights: Flights) -> StoredReservation:
    """The reservation with what is wrong with its flights now, for a write that changes or cancels it. What was noted
    of a flight before stays as it was."""
    known = {(one.flight_number, one.date) for one in kept.disruptions}
    new = (one for one in disruptions_now(kept, flights) if (one.flight_number, one.date) not in known)
    return kept.model_copy(update={"disruptions": (*kept.disruptions, *new)[:DISRUPTIONS_MAX]})


def may_compensate(request: SendCertificate, user: User, claims: Sequence[Claim], flights: Flights) -> Refusal | None:
    """Whether the customer may get the certificate. `claims` are all their reservations, `flights` all they hold."""
    found = claim_for(request, user, claims, flights)
    return found if isinstance(found, Refusal) else None


def claim_for(request: SendCertificate, user: User, claims: Sequence[Claim], flights: Flights) -> Claim | Refusal:
    """The reservation that the certificate is for, which is compensated by it; or why there is none."""
    named = [claim for claim in claims if request.reservation_id in (None, claim.kept.reservation.reservation_id)]
    if request.reservation_id and not named:
        return Refusal(
            f"There is no reservation {request.reservation_id} among the customer's. Check the reservation id.",
            NOT_FOUND,
            "G1",
        )
    refusals = []
    for claim in named:
        refusal = refuse_claim(request, user, claim, flights)
        if refusal is None:
            return claim
        refusals.append(refusal)
    return nearest(refusals)


def refuse_claim(request: SendCertificate, user: User, claim: Claim, flights: Flights) -> Refusal | None:
    """Judged by the disruption that fits best: that which the amount is right for, if any."""
    grounds = [one for one in grounds_of(claim, flights) if request.reason in (None, REASONS[one.disruption.status])]
    if not grounds:
        return NO_GROUND
    refusals = [refuse_ground(request, user, claim, ground) for ground in grounds]
    if None in refusals:
        return None
    return nearest([refusal for refusal in refusals if refusal])


def grounds_of(claim: Claim, flights: Flights) -> tuple[Ground, ...]:
    before = claim.kept.disruptions
    of_before = {(one.flight_number, one.date) for one in before}
    now = [one for one in disruptions_now(claim.kept, flights) if (one.flight_number, one.date) not in of_before]
    return (*(Ground(one, dealt_with=True) for one in before), *(Ground(one, dealt_with=False) for one in now))


def refuse_ground(request: SendCertificate, user: User, claim: Claim, ground: Ground) -> Refusal | None:
    reservation, disruption = claim.kept.reservation, ground.disruption
    number = reservation.reservation_id
    if user.membership == "regular" and reservation.insurance == "no" and disruption.cabin != "business":
        return Refusal(
            f"There is no compensation for reservation {number}: the customer is a regular member, and it is not"
            " insured, and was not business when its flight was disrupted.",
            rule="K2",
        )
    if claim.compensated:
        return Refusal(
            f"Reservation {number} was compensated already. There is nothing more to give for it.", rule="K6"
        )
    if disruption.status == "delayed" and not ground.dealt_with:
        return Refusal(
            f"For its delayed flight, reservation {number} is compensated once it has been changed or cancelled for"
            " it. Offer that first.",
            rule="K4",
        )
    due = AMOUNTS[disruption.status] * len(reservation.passengers)
    if request.amount != due:
        return Refusal(
            f"For the {disruption.status} flight of reservation {number} the certificate is"
            f" {format_amount(due, CURRENCY)}, not {format_amount(request.amount, CURRENCY)}. Send exactly that.",
            rule="K5",
        )
    return None


NO_GROUND = Refusal(
    "No flight of the reservation is cancelled or delayed, or it was so when it was booked; and there is no"
    " compensation for anything else. Check which reservation is meant.",
    rule="K3",
)

# How near to being allowed a refusal is: the customer is told of the nearest.
NEARNESS = ("K3", "K2", "K6", "K4", "K5")


def nearest(refusals: Sequence[Refusal]) -> Refusal:
    return max(refusals, key=lambda refusal: NEARNESS.index(refusal.rule), default=NO_GROUND)
