"""Who gets a travel certificate for a cancelled or delayed flight, and of how much: the rules K2 to K6. Pure.

A call that names no reservation is judged by all of the customer's: it is allowed when one of them gives ground for
exactly that amount. That the customer complains, and asks for a compensation (K1), is the model's word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.tools.airline_data.records import Reservation, ReservedFlight, User
from services.tools.airline_rules.contract import (
    CANCELLED_FLIGHT_COMPENSATION,
    CURRENCY,
    DELAYED_FLIGHT_COMPENSATION,
)
from services.tools.refusal import NOT_FOUND, Refusal
from services.tools.reservations.contract import SendCertificate
from services.tools.reservations.travel import Flights, key_of
from switchboard.money import spell

Disruption = Literal["cancelled_flight", "delayed_flight"]

AMOUNTS: dict[Disruption, Decimal] = {
    "cancelled_flight": CANCELLED_FLIGHT_COMPENSATION,
    "delayed_flight": DELAYED_FLIGHT_COMPENSATION,
}
STATUS: dict[Disruption, str] = {"cancelled_flight": "cancelled", "delayed_flight": "delayed"}


@dataclass(frozen=True)
class Claim:
    """A reservation with what it went through here: a delay counts although its flight was changed for another."""

    reservation: Reservation
    former_flights: tuple[ReservedFlight, ...] = ()
    """Those that a change has taken out of it."""
    changed: bool = False
    """Whether its flights or its cabin were changed."""
    compensated: bool = False
    """Whether a certificate was given for it."""


def may_compensate(request: SendCertificate, user: User, claims: Sequence[Claim], flights: Flights) -> Refusal | None:
    """Whether the customer may get the certificate. `claims` are all their reservations, `flights` all of theirs."""
    found = claim_for(request, user, claims, flights)
    return found if isinstance(found, Refusal) else None


def claim_for(request: SendCertificate, user: User, claims: Sequence[Claim], flights: Flights) -> Claim | Refusal:
    """The reservation that the certificate is for, which is compensated by it; or why there is none."""
    named = [claim for claim in claims if request.reservation_id in (None, claim.reservation.reservation_id)]
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
    grounds = [ground for ground in disruptions(claim, flights) if request.reason in (None, ground)]
    if not grounds:
        return NO_GROUND
    refusals = [refuse_ground(request, user, claim, ground) for ground in grounds]
    if None in refusals:
        return None
    return nearest([refusal for refusal in refusals if refusal])


def disruptions(claim: Claim, flights: Flights) -> tuple[Disruption, ...]:
    keys = [key_of(flight) for flight in (*claim.reservation.flights, *claim.former_flights)]
    statuses = {flights[key].day.status for key in keys if key in flights}
    return tuple(ground for ground, status in STATUS.items() if status in statuses)


def refuse_ground(request: SendCertificate, user: User, claim: Claim, ground: Disruption) -> Refusal | None:
    reservation = claim.reservation
    number = reservation.reservation_id
    if user.membership == "regular" and reservation.insurance == "no" and reservation.cabin != "business":
        return Refusal(
            f"There is no compensation for reservation {number}: the customer is a regular member, and it is neither"
            " insured nor business.",
            rule="K2",
        )
    if claim.compensated:
        return Refusal(
            f"Reservation {number} was compensated already. There is nothing more to give for it.", rule="K6"
        )
    if ground == "delayed_flight" and not (claim.changed or reservation.status == "cancelled"):
        return Refusal(
            f"For its delayed flight, reservation {number} is compensated once it has been changed or cancelled."
            " Offer that first.",
            rule="K4",
        )
    due = AMOUNTS[ground] * len(reservation.passengers)
    if request.amount != due:
        return Refusal(
            f"For the {ground.replace('_', ' ')} of reservation {number} the certificate is {spell(due, CURRENCY)}, not"
            f" {spell(request.amount, CURRENCY)}. Send exactly that.",
            rule="K5",
        )
    return None


NO_GROUND = Refusal(
    "No flight of the reservation is cancelled or delayed, and there is no compensation for anything else."
    " Check which reservation is meant.",
    rule="K3",
)

# How near to being allowed a refusal is: the customer is told of the nearest.
NEARNESS = ("K3", "K2", "K6", "K4", "K5")


def nearest(refusals: Sequence[Refusal]) -> Refusal:
    return max(refusals, key=lambda refusal: NEARNESS.index(refusal.rule), default=NO_GROUND)
