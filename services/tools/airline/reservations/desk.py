"""Serves the customers' reservations: to look at, to book, to cancel and to change.

`ReservationDesk` holds no lock while it calls. A write reads what it has to know, asks the policy, and is then a saga:
seats on each flight, money, and the reservation itself, whose object refuses when it is not as it was read. Whatever is
refused or cancelled before the last step is undone whole; after it nothing is awaited on which the outcome hangs. One
id names the operation wherever it does something, and whatever is asked twice under it is done once.
"""

from functools import partial

import restate

from services.tools.airline.customers.contract import LIST_COMPENSATIONS
from services.tools.airline.data.records import Reservation
from services.tools.airline.reservations import compensation, policy, reading, writing
from services.tools.airline.reservations.compensation import Claim
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
from services.tools.airline.reservations.operation import Operation
from services.tools.airline.reservations.prices import bags_price, change_price
from services.tools.airline.reservations.travel import keys_of
from switchboard import NoInput, implements
from switchboard.contract import Text
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.refusal import Refusal
from switchboard.toolkit.rpc import ask

desk = tool_service(RESERVATION_DESK, "Reservations: looked at, booked, cancelled, changed; the policy is kept here.")


@implements(desk, GET_RESERVATION_DETAILS)
async def get_reservation_details(ctx: restate.Context, request: GetReservationDetails) -> Reservation:
    """One reservation. 404, in the same words, for one that is somebody else's and for one that does not exist."""
    return (await reading.own(ctx, request.user_id, request.reservation_id)).reservation


@implements(desk, BOOK_RESERVATION)
async def book_reservation(ctx: restate.Context, request: BookReservation) -> Reservation:
    """Book and pay: all of it or nothing. 402, 404 and 409, with the reason, when it cannot be."""
    who = await reading.comer(ctx, request.user_id)
    user, now = who.user, who.moment.now
    flights = await reading.as_they_stand(ctx, keys_of(request.flights))
    await enforce_policy(
        ctx,
        "may_book",
        partial(policy.may_book, request, user, flights, now),
        impossible=partial(policy.can_book, request, user, flights, now),
        customer_id=request.user_id,
    )
    operation = Operation(ctx, user, "Nothing was booked, and nothing is charged.")
    with operation:
        reservation_id = await operation.claim_id(writing.new_ids(ctx.random(), who.moment.ids))
        kept = writing.booked(request, reservation_id, flights, now)
        kept = await operation.take_seats(kept, keys_of(request.flights))
        await operation.charge_cards(request.payment_methods)
        await operation.write(kept)
        await operation.pay(request.payment_methods, reservation_id)
    operation.finish(kept.reservation, "booked")
    return kept.reservation


@implements(desk, CANCEL_RESERVATION)
async def cancel_reservation(ctx: restate.Context, request: CancelReservation) -> Reservation:
    """Cancel and refund. 404 for a reservation that is not the customer's, 409 when the policy does not allow it."""
    found = await reading.standing(ctx, request.user_id, request.reservation_id)
    kept, flights = found.kept, found.flights
    await enforce_policy(
        ctx,
        "may_cancel",
        partial(policy.may_cancel, request, kept.reservation, flights, found.moment.now),
        impossible=partial(policy.can_cancel, kept.reservation),
        customer_id=request.user_id,
    )
    after = writing.cancelled(kept, flights)
    operation = Operation(ctx, found.user, "Nothing was cancelled.")
    with operation:
        await operation.write(after)
    operation.refund_cards(reading.paid_by_method(kept.reservation))
    operation.give_back_seats(kept, keys_of(kept.reservation.flights))
    operation.finish(after.reservation, "cancelled")
    return after.reservation


@implements(desk, UPDATE_RESERVATION_FLIGHTS)
async def update_reservation_flights(ctx: restate.Context, request: UpdateReservationFlights) -> Reservation:
    """Change flights or cabin, and pay or be refunded the difference: all of it or nothing. 402, 404 and 409."""
    found = await reading.standing(ctx, request.user_id, request.reservation_id, request.flights)
    user, kept, flights, now = found.user, found.kept, found.flights, found.moment.now
    before = kept.reservation
    await enforce_policy(
        ctx,
        "may_change_flights",
        partial(policy.may_change_flights, request, user, before, flights, now),
        impossible=partial(policy.can_change_flights, request, user, before, flights, now),
        customer_id=request.user_id,
    )
    price = change_price(before, request.flights, request.cabin, flights)
    after = writing.with_flights(kept, request, flights, price)
    operation = Operation(ctx, user, "Nothing was changed, and nothing is charged.")
    with operation:
        after = await operation.take_seats(after, writing.seats_to_take(before, request))
        await operation.charge(request.payment_id, price)
        await operation.write(after)
    operation.give_back_seats(kept, writing.seats_to_give_back(before, request))
    operation.finish(after.reservation, "changed")
    await operation.refund(request.payment_id, -price)
    return after.reservation


@implements(desk, UPDATE_RESERVATION_PASSENGERS)
async def update_reservation_passengers(ctx: restate.Context, request: UpdateReservationPassengers) -> Reservation:
    """Change the passengers. 404 and 409."""
    found = await reading.standing(ctx, request.user_id, request.reservation_id)
    before = found.kept.reservation
    await enforce_policy(
        ctx,
        "may_change_passengers",
        partial(policy.may_change_passengers, request, before, found.flights, found.moment.now),
        impossible=partial(policy.can_change_passengers, request, before),
        customer_id=request.user_id,
    )
    after = writing.with_passengers(found.kept, request)
    operation = Operation(ctx, found.user, "Nothing was changed.")
    with operation:
        await operation.write(after)
    operation.finish(after.reservation, "changed")
    return after.reservation


@implements(desk, UPDATE_RESERVATION_BAGGAGES)
async def update_reservation_baggages(ctx: restate.Context, request: UpdateReservationBaggages) -> Reservation:
    """Add bags, and pay for them: all of it or nothing. 402, 404 and 409."""
    found = await reading.standing(ctx, request.user_id, request.reservation_id)
    user, before = found.user, found.kept.reservation
    await enforce_policy(
        ctx,
        "may_add_bags",
        partial(policy.may_add_bags, request, user, before, found.flights, found.moment.now),
        impossible=partial(policy.can_add_bags, request, user, before),
        customer_id=request.user_id,
    )
    price = bags_price(before, request.nonfree_baggages)
    operation = Operation(ctx, user, "Nothing was changed, and nothing is charged.")
    with operation:
        await operation.charge(request.payment_id, price)
        after = writing.with_bags(found.kept, request, price)
        await operation.write(after)
    operation.finish(after.reservation, "changed")
    return after.reservation


@implements(desk, SEND_CERTIFICATE)
async def send_certificate(ctx: restate.Context, request: SendCertificate) -> Text:
    """Give the customer a certificate. 404 and 409 when the policy does not allow it, or not of that amount."""
    who = await reading.comer(ctx, request.user_id)
    own = await reading.all_own(ctx, who.user)
    compensated = (await ask(ctx, LIST_COMPENSATIONS, NoInput(), request.user_id)).causes
    claims = [Claim(kept, kept.reservation.reservation_id in compensated) for kept in own]
    held = (flight for kept in own if kept.reservation.status is None for flight in kept.reservation.flights)
    flights = await reading.as_they_stand(ctx, keys_of(held))
    await enforce_policy(
        ctx,
        "may_compensate",
        partial(compensation.may_compensate, request, who.user, claims, flights),
        customer_id=request.user_id,
    )
    claim = compensation.claim_for(request, who.user, claims, flights)
    # Where the policy is not kept, a certificate is given for nothing that could be compensated twice.
    cause = "" if isinstance(claim, Refusal) else claim.kept.reservation.reservation_id
    operation = Operation(ctx, who.user, "Nothing was given.")
    with operation:
        given = await operation.add_certificate(request.amount, cause, who.moment.ids)
    operation.settle()
    return given
