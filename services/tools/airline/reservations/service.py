"""The reservation service: customers read, book, cancel and change their reservations (Restate: ReservationDesk).

The service holds no lock while it calls. Before the customer is asked, a check prepares the write: it looks up what
the write is about, enforces the policy, and returns what the question shows. When the write runs, it is prepared
again, and then runs as a saga: seats on each flight, payments, and the reservation itself, whose object refuses the
write if it was changed since it was read. If a step is refused or the handler is cancelled, all steps are undone;
after the last step, nothing can change the outcome. All steps carry the same operation id, so a step that is sent
twice takes effect once.
"""

from functools import partial

import restate

from services.tools.airline.customers.contract import LIST_COMPENSATIONS
from services.tools.airline.data.models import Reservation
from services.tools.airline.reservations import changes, lookups, resolution
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
from services.tools.airline.reservations.facts import (
    BagsFacts,
    BookingFacts,
    CancellationFacts,
    FlightsFacts,
    PassengersFacts,
)
from services.tools.airline.reservations.itinerary import keys_of
from services.tools.airline.reservations.operation import Operation
from services.tools.airline.reservations.policy import compensation
from services.tools.airline.reservations.policy.compensation import Claim
from services.tools.airline.reservations.preparation import (
    prepare_added_bags,
    prepare_booking,
    prepare_cancellation,
    prepare_change_of_flights,
    prepare_change_of_passengers,
)
from services.tools.airline.reservations.prices import bags_price, change_price, paid_by_method
from switchboard import NoInput, checks, implements
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


@checks(reservation_service, BOOK_RESERVATION)
async def check_book_reservation(ctx: restate.Context, request: BookReservation) -> BookingFacts:
    """Return what the question shows. 404 or 409, with the reason, if the call would be refused."""
    who, flights = await prepare_booking(ctx, request, checking=True)
    return resolution.booking_facts(request, who.user, flights)


@implements(reservation_service, BOOK_RESERVATION)
async def book_reservation(ctx: restate.Context, request: BookReservation) -> Reservation:
    """Book and pay: everything or nothing. 402, 404 or 409, with the reason, if it is refused."""
    who, flights = await prepare_booking(ctx, request)
    user, now = who.user, who.clock.now
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


@checks(reservation_service, CANCEL_RESERVATION)
async def check_cancel_reservation(ctx: restate.Context, request: CancelReservation) -> CancellationFacts:
    """Return what the question shows. 404 or 409, with the reason, if the call would be refused."""
    found = await prepare_cancellation(ctx, request, checking=True)
    return resolution.cancellation_facts(found.user, found.kept.reservation)


@implements(reservation_service, CANCEL_RESERVATION)
async def cancel_reservation(ctx: restate.Context, request: CancelReservation) -> Reservation:
    """Cancel and refund. 404 if the reservation is not the customer's, 409 if the policy does not allow it."""
    found = await prepare_cancellation(ctx, request)
    stored, flights = found.kept, found.flights
    after = changes.cancelled(stored, flights)
    operation = Operation(ctx, found.user, "Nothing was cancelled.")
    with operation:
        await operation.write(after)
    operation.refund_cards(paid_by_method(stored.reservation))
    operation.give_back_seats(stored, keys_of(stored.reservation.flights))
    operation.finish(after.reservation, "cancelled")
    return after.reservation


@checks(reservation_service, UPDATE_RESERVATION_FLIGHTS)
async def check_update_reservation_flights(ctx: restate.Context, request: UpdateReservationFlights) -> FlightsFacts:
    """Return what the question shows. 404 or 409, with the reason, if the call would be refused."""
    found = await prepare_change_of_flights(ctx, request, checking=True)
    return resolution.flights_facts(request, found.user, found.kept.reservation, found.flights)


@implements(reservation_service, UPDATE_RESERVATION_FLIGHTS)
async def update_reservation_flights(ctx: restate.Context, request: UpdateReservationFlights) -> Reservation:
    """Change flights or cabin, and charge or refund the difference: everything or nothing. 402, 404 or 409."""
    found = await prepare_change_of_flights(ctx, request)
    user, stored, flights = found.user, found.kept, found.flights
    before = stored.reservation
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


@checks(reservation_service, UPDATE_RESERVATION_PASSENGERS)
async def check_update_reservation_passengers(
    ctx: restate.Context, request: UpdateReservationPassengers
) -> PassengersFacts:
    """Return what the question shows. 404 or 409, with the reason, if the call would be refused."""
    found = await prepare_change_of_passengers(ctx, request, checking=True)
    return resolution.passengers_facts(found.kept.reservation)


@implements(reservation_service, UPDATE_RESERVATION_PASSENGERS)
async def update_reservation_passengers(ctx: restate.Context, request: UpdateReservationPassengers) -> Reservation:
    """Change the passengers. 404 or 409."""
    found = await prepare_change_of_passengers(ctx, request)
    after = changes.with_passengers(found.kept, request)
    operation = Operation(ctx, found.user, "Nothing was changed.")
    with operation:
        await operation.write(after)
    operation.finish(after.reservation, "changed")
    return after.reservation


@checks(reservation_service, UPDATE_RESERVATION_BAGGAGES)
async def check_update_reservation_baggages(ctx: restate.Context, request: UpdateReservationBaggages) -> BagsFacts:
    """Return what the question shows. 404 or 409, with the reason, if the call would be refused."""
    found = await prepare_added_bags(ctx, request, checking=True)
    return resolution.bags_facts(request, found.user, found.kept.reservation)


@implements(reservation_service, UPDATE_RESERVATION_BAGGAGES)
async def update_reservation_baggages(ctx: restate.Context, request: UpdateReservationBaggages) -> Reservation:
    """Add bags and pay for them: everything or nothing. 402, 404 or 409."""
    found = await prepare_added_bags(ctx, request)
    user, before = found.user, found.kept.reservation
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
