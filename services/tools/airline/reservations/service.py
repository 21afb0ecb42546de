"""The reservation service: customers read, book, cancel and change their reservations (Restate: ReservationDesk).

The service holds no lock while it calls. A write looks up what it needs, enforces the policy, and then runs a saga:
seats on each flight, payments, and the reservation itself, whose object refuses the write if it was changed since it
was read. If a step is refused or the handler is cancelled, all steps are undone; after the last step, nothing can
change the outcome. All steps carry the same operation id, so a step that is sent twice takes effect once.
"""

from functools import partial

import restate

from services.tools.airline.customers.contract import LIST_COMPENSATIONS
from services.tools.airline.data.models import Reservation
from services.tools.airline.reservations import changes, lookups
from services.tools.airline.reservations.contract import (
    BOOK_RESERVATION,
    CANCEL_RESERVATION,
    GET_RESERVATION_DETAILS,
    RESERVATION_DESK,
    SEND_CERTIFICATE,
    UPDATE_RESERVATION_BAGGAGES,
    UPDATE_RESERVATION_FLIGHTS,
    UPDATE_RESERVATION_PASSENGERS,
    BookReservation,
    CancelReservation,
    GetReservationDetails,
    SendCertificate,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.itinerary import keys_of
from services.tools.airline.reservations.operation import Operation
from services.tools.airline.reservations.policy import compensation
from services.tools.airline.reservations.policy.baggage import can_add_bags, may_add_bags
from services.tools.airline.reservations.policy.booking import can_book, may_book
from services.tools.airline.reservations.policy.cancellation import can_cancel, may_cancel
from services.tools.airline.reservations.policy.changes import (
    can_change_flights,
    can_change_passengers,
    may_change_flights,
    may_change_passengers,
)
from services.tools.airline.reservations.policy.compensation import Claim
from services.tools.airline.reservations.prices import bags_price, change_price
from switchboard import NoInput, implements
from switchboard.contract import Text
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.refusal import Refusal
from switchboard.toolkit.rpc import call_tool

reservation_service = tool_service(
    RESERVATION_DESK, "Reservations: read, book, cancel and change. Enforces the airline's policy."
)


@implements(reservation_service, GET_RESERVATION_DETAILS)
async def get_reservation_details(ctx: restate.Context, request: GetReservationDetails) -> Reservation:
    """Return one reservation. The same 404 for another customer's reservation and for one that does not exist."""
    return (await lookups.own_reservation(ctx, request.user_id, request.reservation_id)).reservation


@implements(reservation_service, BOOK_RESERVATION)
async def book_reservation(ctx: restate.Context, request: BookReservation) -> Reservation:
    """Book and pay: everything or nothing. 402, 404 or 409, with the reason, if it is refused."""
    who = await lookups.caller(ctx, request.user_id)
    user, now = who.user, who.clock.now
    flights = await lookups.current_flights(ctx, keys_of(request.flights))
    await enforce_policy(
        ctx,
        "may_book",
        partial(may_book, request, user, flights, now),
        impossible=partial(can_book, request, user, flights, now),
        customer_id=request.user_id,
    )
    operation = Operation(ctx, user, "Nothing was booked or charged.")
    with operation:
        reservation_id = await operation.claim_id(changes.new_ids(ctx.random(), who.clock.ids))
        stored = changes.booked(request, reservation_id, flights, now)
        stored = await operation.take_seats(stored, keys_of(request.flights))
        await operation.charge_cards(request.payment_methods)
        await operation.write(stored)
        await operation.pay(request.payment_methods, reservation_id)
    operation.finish(stored.reservation, "booked")
    return stored.reservation


@implements(reservation_service, CANCEL_RESERVATION)
async def cancel_reservation(ctx: restate.Context, request: CancelReservation) -> Reservation:
    """Cancel and refund. 404 if the reservation is not the customer's, 409 if the policy does not allow it."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id)
    stored, flights = found.kept, found.flights
    await enforce_policy(
        ctx,
        "may_cancel",
        partial(may_cancel, request, stored.reservation, flights, found.clock.now),
        impossible=partial(can_cancel, stored.reservation),
        customer_id=request.user_id,
    )
    after = changes.cancelled(stored, flights)
    operation = Operation(ctx, found.user, "Nothing was cancelled.")
    with operation:
        await operation.write(after)
    operation.refund_cards(lookups.paid_by_method(stored.reservation))
    operation.give_back_seats(stored, keys_of(stored.reservation.flights))
    operation.finish(after.reservation, "cancelled")
    return after.reservation


@implements(reservation_service, UPDATE_RESERVATION_FLIGHTS)
async def update_reservation_flights(ctx: restate.Context, request: UpdateReservationFlights) -> Reservation:
    """Change flights or cabin, and charge or refund the difference: everything or nothing. 402, 404 or 409."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id, request.flights)
    user, stored, flights, now = found.user, found.kept, found.flights, found.clock.now
    before = stored.reservation
    await enforce_policy(
        ctx,
        "may_change_flights",
        partial(may_change_flights, request, user, before, flights, now),
        impossible=partial(can_change_flights, request, user, before, flights, now),
        customer_id=request.user_id,
    )
    price = change_price(before, request.flights, request.cabin, flights)
    after = changes.with_flights(stored, request, flights, price)
    operation = Operation(ctx, user, "Nothing was changed or charged.")
    with operation:
        after = await operation.take_seats(after, changes.seats_to_take(before, request))
        await operation.charge(request.payment_id, price)
        await operation.write(after)
    operation.give_back_seats(stored, changes.seats_to_give_back(before, request))
    operation.finish(after.reservation, "changed")
    await operation.refund(request.payment_id, -price)
    return after.reservation


@implements(reservation_service, UPDATE_RESERVATION_PASSENGERS)
async def update_reservation_passengers(ctx: restate.Context, request: UpdateReservationPassengers) -> Reservation:
    """Change the passengers. 404 or 409."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id)
    before = found.kept.reservation
    await enforce_policy(
        ctx,
        "may_change_passengers",
        partial(may_change_passengers, request, before, found.flights, found.clock.now),
        impossible=partial(can_change_passengers, request, before),
        customer_id=request.user_id,
    )
    after = changes.with_passengers(found.kept, request)
    operation = Operation(ctx, found.user, "Nothing was changed.")
    with operation:
        await operation.write(after)
    operation.finish(after.reservation, "changed")
    return after.reservation


@implements(reservation_service, UPDATE_RESERVATION_BAGGAGES)
async def update_reservation_baggages(ctx: restate.Context, request: UpdateReservationBaggages) -> Reservation:
    """Add bags and pay for them: everything or nothing. 402, 404 or 409."""
    found = await lookups.reservation_context(ctx, request.user_id, request.reservation_id)
    user, before = found.user, found.kept.reservation
    await enforce_policy(
        ctx,
        "may_add_bags",
        partial(may_add_bags, request, user, before, found.flights, found.clock.now),
        impossible=partial(can_add_bags, request, user, before),
        customer_id=request.user_id,
    )
    price = bags_price(before, request.nonfree_baggages)
    operation = Operation(ctx, user, "Nothing was changed or charged.")
    with operation:
        await operation.charge(request.payment_id, price)
        after = changes.with_bags(found.kept, request, price)
        await operation.write(after)
    operation.finish(after.reservation, "changed")
    return after.reservation


@implements(reservation_service, SEND_CERTIFICATE)
async def send_certificate(ctx: restate.Context, request: SendCertificate) -> Text:
    """Give the customer a certificate. 404 or 409 if the policy does not allow it, or not for that amount."""
    who = await lookups.caller(ctx, request.user_id)
    own = await lookups.own_reservations(ctx, who.user)
    compensated = (await call_tool(ctx, LIST_COMPENSATIONS, NoInput(), request.user_id)).causes
    claims = [Claim(stored, stored.reservation.reservation_id in compensated) for stored in own]
    held = (flight for stored in own if stored.reservation.status is None for flight in stored.reservation.flights)
    flights = await lookups.current_flights(ctx, keys_of(held))
    await enforce_policy(
        ctx,
        "may_compensate",
        partial(compensation.may_compensate, request, who.user, claims, flights),
        customer_id=request.user_id,
    )
    claim = compensation.claim_for(request, who.user, claims, flights)
    # With POLICY=off there may be no claim. The empty cause then does not limit the number of certificates.
    cause = "" if isinstance(claim, Refusal) else claim.kept.reservation.reservation_id
    operation = Operation(ctx, who.user, "No certificate was issued.")
    with operation:
        given = await operation.add_certificate(request.amount, cause, who.clock.ids)
    operation.settle()
    return given
