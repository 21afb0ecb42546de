"""What comes before a write: look up what it is about, and enforce the policy.

A write is prepared twice: before the customer is asked to confirm it, and when it runs. So the customer is asked only
for what is possible, and what has become impossible since then is refused. `checking` says that it is the first time.
"""

from functools import partial

import restate

from services.tools.airline.reservations import lookups
from services.tools.airline.reservations.contract import (
    BookReservation,
    CancelReservation,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.itinerary import Flights, keys_of
from services.tools.airline.reservations.lookups import Caller, ReservationContext
from services.tools.airline.reservations.policy.baggage import can_add_bags, may_add_bags
from services.tools.airline.reservations.policy.booking import can_book, may_book
from services.tools.airline.reservations.policy.cancellation import can_cancel, may_cancel
from services.tools.airline.reservations.policy.changes import (
    can_change_flights,
    can_change_passengers,
    may_change_flights,
    may_change_passengers,
)
from switchboard.toolkit.policy import enforce_policy


async def prepare_booking(
    ctx: restate.Context, request: BookReservation, checking: bool = False
) -> tuple[Caller, Flights]:
    """Return the customer and the requested flights. 404 or 409, with the reason, if the booking is refused."""
    who = await lookups.caller(ctx, request.user_id)
    flights = await lookups.current_flights(ctx, keys_of(request.flights))
    await enforce_policy(
        ctx,
        "may_book",
        partial(may_book, request, who.user, flights, who.clock.now),
        impossible=partial(can_book, request, who.user, flights, who.clock.now),
        customer_id=request.user_id,
        checking=checking,
    )
    return who, flights


async def prepare_cancellation(
    ctx: restate.Context, request: CancelReservation, checking: bool = False
) -> ReservationContext:
    """Return the reservation to cancel. 404 or 409 if it is refused."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id)
    reservation = found.kept.reservation
    await enforce_policy(
        ctx,
        "may_cancel",
        partial(may_cancel, request, reservation, found.flights, found.clock.now),
        impossible=partial(can_cancel, reservation),
        customer_id=request.user_id,
        checking=checking,
    )
    return found


async def prepare_change_of_flights(
    ctx: restate.Context, request: UpdateReservationFlights, checking: bool = False
) -> ReservationContext:
    """Return the reservation to change, with its flights and the requested ones. 404 or 409 if it is refused."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id, request.flights)
    user, reservation, flights, now = found.user, found.kept.reservation, found.flights, found.clock.now
    await enforce_policy(
        ctx,
        "may_change_flights",
        partial(may_change_flights, request, user, reservation, flights, now),
        impossible=partial(can_change_flights, request, user, reservation, flights, now),
        customer_id=request.user_id,
        checking=checking,
    )
    return found


async def prepare_change_of_passengers(
    ctx: restate.Context, request: UpdateReservationPassengers, checking: bool = False
) -> ReservationContext:
    """Return the reservation to change. 404 or 409 if it is refused."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id)
    reservation = found.kept.reservation
    await enforce_policy(
        ctx,
        "may_change_passengers",
        partial(may_change_passengers, request, reservation, found.flights, found.clock.now),
        impossible=partial(can_change_passengers, request, reservation),
        customer_id=request.user_id,
        checking=checking,
    )
    return found


async def prepare_added_bags(
    ctx: restate.Context, request: UpdateReservationBaggages, checking: bool = False
) -> ReservationContext:
    """Return the reservation to add bags to. 404 or 409 if it is refused."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id)
    user, reservation = found.user, found.kept.reservation
    await enforce_policy(
        ctx,
        "may_add_bags",
        partial(may_add_bags, request, user, reservation, found.flights, found.clock.now),
        impossible=partial(can_add_bags, request, user, reservation),
        customer_id=request.user_id,
        checking=checking,
    )
    return found
