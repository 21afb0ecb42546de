"""Serves bookings: flights on sale, a new booking, and its cancellation.

`Bookings` holds no lock while it calls. A booking is a saga: a confirmation number, the seats, the payments one by one,
and last the record among the customer's reservations, by which it stands. Whatever is refused or cancelled before that
is undone whole; after it nothing is awaited, so that nothing can come between. One id names the booking wherever it
does something, and whatever is asked twice under it is done once.
"""

import logging

import restate

from services.tools.bookings import policy, pricing, telling
from services.tools.bookings.contract import (
    BOOKINGS,
    CONFIRMATION_NUMBERS,
    FARES_CURRENCY,
    GIVE_NUMBER_BACK,
    TAKE_NUMBER,
    BookFlight,
    BookingCancelled,
    CancelBooking,
    FlightBooked,
    FlightOffers,
    FlightSearch,
    NumberOwner,
    NumberTaken,
    PaymentPart,
)
from services.tools.bookings.saga import Saga
from services.tools.call import allowed, ask, read, start, tell
from services.tools.clock import business_now
from services.tools.demo_data.airline import CustomerData, FlightData, airline
from services.tools.flights.contract import (
    RELEASE_SEAT,
    SEAT_MAP,
    TAKE_SEATS,
    UNDO_CLAIM,
    VACATE_SEATS,
    SettleClaim,
    TakeSeats,
    VacateSeats,
    seats_key,
)
from services.tools.outbox.contract import DELIVER
from services.tools.payments.contract import (
    AUTHORISE_CARD,
    CHARGE,
    LIST_PAYMENT_MEANS,
    REFUND,
    REFUND_CARD,
    Authorise,
    ChargeMeans,
    Means,
    Refund,
    RefundCard,
)
from services.tools.reservations.contract import (
    GET_PAID_BOOKING,
    MARK_CANCELLED,
    RECORD_BOOKING,
    UNMARK_CANCELLED,
    UNRECORD_BOOKING,
    BookingRequest,
    CancelRecord,
    NewBooking,
    Payment,
    UndoBooking,
    UndoCancellation,
)
from switchboard import NoInput
from switchboard.declare import tool_object, tool_service

NUMBERS_DRAWN_MAX = 5
"""Millions are free, so that one draw nearly always does."""

BOOKING_ID = "booking_id"
NOT_BOOKED = "Nothing was booked, and nothing is charged."

logger = logging.getLogger(__name__)

bookings = tool_service(BOOKINGS, "Flights on sale, new bookings and their cancellation.")
confirmation_numbers = tool_object(CONFIRMATION_NUMBERS, "Whose a confirmation number is; the key is the number.")


@bookings.handler()
async def search_flights(ctx: restate.Context, request: FlightSearch) -> FlightOffers:
    """The flights that can be booked. 404 for a city without flights."""
    now = await business_now(ctx)
    origin, destination = city(request.origin), city(request.destination)
    date = policy.day_of(request.date, now.date())
    found = [
        flight
        for flight in airline().flights
        if (flight.origin, flight.destination) == (origin, destination)
        and policy.refuse_flight(flight, date, now) is None
    ]
    # All are started before any is awaited: the journal then holds them in one order on every replay.
    maps = [start(ctx, SEAT_MAP, NoInput(), seats_key(flight.number, date)) for flight in found]
    await restate.gather(*maps)
    seats = [(await read(SEAT_MAP, seat_map)).seats for seat_map in maps]
    listed = [pricing.offer(flight, date, free) for flight, free in zip(found, seats, strict=True)]
    return pricing.offers(origin, destination, date, listed)


@bookings.handler()
async def book_flight(ctx: restate.Context, request: BookFlight) -> FlightBooked:
    """Book and pay: all of it or nothing. 402, 404 and 409, with the reason, when it cannot be."""
    now = await business_now(ctx)
    customer, flight = own_customer(request.customer_id), flight_on_sale(request.flight_number)
    charges = pricing.charges(flight, request.cabin, len(request.passengers))
    total = pricing.total(charges)
    allowed(policy.refuse_flight(flight, request.date, now) or policy.refuse_passengers(request.passengers))
    means = (await ask(ctx, LIST_PAYMENT_MEANS, NoInput(), request.customer_id)).means
    refusal = policy.refuse_payments(means, request, total)
    if refusal:
        logger.warning("refused: payments of customer %s for %s: %s", customer.customer_id, flight.number, refusal.why)
    allowed(refusal)
    booking_id = str(ctx.uuid())
    payments = paid_with(request, means, booking_id)
    saga = Saga(ctx, otherwise=NOT_BOOKED)
    try:
        number = await draw_number(saga, booking_id)
        seats = await take_seats(saga, request, number, booking_id)
        for payment in payments:
            await charge(saga, request.customer_id, payment)
        booking = NewBooking(
            booking_id=booking_id,
            confirmation_number=number,
            seats=seats,
            currency=FARES_CURRENCY,
            charges=charges,
            payments=payments,
            **request.model_dump(include={"flight_number", "date", "cabin", "passengers"}),
        )
        saga.undo_by(UNRECORD_BOOKING, UndoBooking(booking_id=booking_id), request.customer_id)
        await saga.step(RECORD_BOOKING, booking, request.customer_id)
    except restate.TerminalError as error:
        saga.undo()
        logger.info("booking %s of customer %s is undone: %s", booking_id, request.customer_id, error.message)
        raise
    # The booking stands, and nothing is awaited from here to the answer: a cancellation now comes too late.
    for claim in claims(number, booking_id, len(seats)):
        tell(ctx, RELEASE_SEAT, claim, seats_key(flight.number, request.date))
    told = telling.booked(booking, flight, total)
    tell(ctx, DELIVER, telling.booking_email(told, customer, email_id=booking_id), request.customer_id)
    return told


@bookings.handler()
async def cancel_booking(ctx: restate.Context, request: CancelBooking) -> BookingCancelled:
    """Cancel and refund. 404 for a booking that is not the customer's, 409 when it is too late."""
    number = request.confirmation_number
    paid = await ask(ctx, GET_PAID_BOOKING, BookingRequest(confirmation_number=number), request.customer_id)
    fee = allowed(policy.cancellation_fee(paid.reservation, await business_now(ctx)))
    kept = policy.kept(paid.payments, fee)
    told = telling.cancelled(paid, kept)
    cancellation_id = str(ctx.uuid())
    try:
        mark = CancelRecord(confirmation_number=number, cancellation_id=cancellation_id, fee=told.fee)
        await ask(ctx, MARK_CANCELLED, mark, request.customer_id)
    except restate.TerminalError:
        # Refused, or cancelled while it was on its way: by its id, taking back what was not done does nothing.
        unmark = UndoCancellation(confirmation_number=number, cancellation_id=cancellation_id)
        tell(ctx, UNMARK_CANCELLED, unmark, request.customer_id)
        raise
    # It is cancelled, and nothing is awaited from here to the answer: every refund is sent, or none is yet.
    for payment in paid.payments:
        amount_kept = kept[payment.charge_id]
        tell(ctx, REFUND, Refund(charge_id=payment.charge_id, kept=amount_kept), request.customer_id)
        if payment.kind == "credit_card":
            tell(ctx, REFUND_CARD, RefundCard(kept=amount_kept), payment.charge_id)
    for flight in paid.reservation.flights:
        vacated = VacateSeats(confirmation_number=number)
        tell(ctx, VACATE_SEATS, vacated, seats_key(flight.flight_number, flight.date))
    tell(ctx, DELIVER, telling.cancellation_email(told, paid, email_id=cancellation_id), request.customer_id)
    return told


@confirmation_numbers.handler()
async def take_number(ctx: restate.ObjectContext, request: NumberOwner) -> NumberTaken:
    """Whether the number is the booking's now; not when it is another's, or one of the shipped bookings'."""
    owner = await ctx.get(BOOKING_ID, type_hint=str)
    if ctx.key() in airline().confirmation_numbers() or owner not in (None, request.booking_id):
        return NumberTaken(taken=False)
    ctx.set(BOOKING_ID, request.booking_id)
    return NumberTaken(taken=True)


@confirmation_numbers.handler()
async def give_number_back(ctx: restate.ObjectContext, request: NumberOwner) -> NumberTaken:
    """The number is free again. Does nothing when it is another booking's."""
    if await ctx.get(BOOKING_ID, type_hint=str) == request.booking_id:
        ctx.clear(BOOKING_ID)
    return NumberTaken(taken=False)


async def draw_number(saga: Saga, booking_id: str) -> str:
    """A confirmation number that nobody else has. Raises TerminalError 409 when none was found."""
    owner = NumberOwner(booking_id=booking_id)
    drawing = saga.ctx.random()
    for _ in range(NUMBERS_DRAWN_MAX):
        number = policy.confirmation_number(drawing.randrange(policy.CONFIRMATION_NUMBERS_RANGE))
        saga.undo_by(GIVE_NUMBER_BACK, owner, number)
        if (await saga.step(TAKE_NUMBER, owner, number)).taken:
            return number
    raise restate.TerminalError(f"No confirmation number was free. {NOT_BOOKED} Try again.", status_code=409)


async def take_seats(saga: Saga, request: BookFlight, number: str, booking_id: str) -> tuple[str, ...]:
    """Claim a seat for each passenger; the claims are settled when the booking stands."""
    key = seats_key(request.flight_number, request.date)
    for claim in claims(number, booking_id, len(request.passengers)):
        saga.undo_by(UNDO_CLAIM, claim, key)
    wanted = TakeSeats(
        confirmation_number=number,
        cabin=request.cabin,
        seats_total=len(request.passengers),
        seat=request.seat,
        claim_id=booking_id,
    )
    return (await saga.step(TAKE_SEATS, wanted, key)).seats


async def charge(saga: Saga, customer_id: str, payment: Payment) -> None:
    """Charge one means; that of a credit card at the card processor as well."""
    saga.undo_by(REFUND, Refund(charge_id=payment.charge_id), customer_id)
    wanted = ChargeMeans(currency=FARES_CURRENCY, **payment.model_dump(include={"charge_id", "means_id", "amount"}))
    charged = await saga.step(CHARGE, wanted, customer_id)
    if charged.card_token is None:
        return
    saga.undo_by(REFUND_CARD, RefundCard(), payment.charge_id)
    card = Authorise(card_token=charged.card_token, amount=payment.amount, currency=FARES_CURRENCY)
    await saga.step(AUTHORISE_CARD, card, payment.charge_id)


def claims(number: str, booking_id: str, passengers_total: int) -> list[SettleClaim]:
    """The claims of a new booking's seats, one for each passenger."""
    return [
        SettleClaim(confirmation_number=number, passenger=passenger, claim_id=booking_id)
        for passenger in range(1, passengers_total + 1)
    ]


def paid_with(request: BookFlight, means: tuple[Means, ...], booking_id: str) -> tuple[Payment, ...]:
    """The payments, each with the id under which it is charged."""
    by_id = {own.means_id: own for own in means}
    return tuple(payment(part, by_id[part.means_id], f"{booking_id}-{n}") for n, part in enumerate(request.payments, 1))


def payment(part: PaymentPart, means: Means, charge_id: str) -> Payment:
    return Payment(means_id=part.means_id, kind=means.kind, label=means.label, amount=part.amount, charge_id=charge_id)


def city(place: str) -> str:
    """The city of that name or airport code. Raises TerminalError 404."""
    found = airline().city(place)
    if found is None:
        known = ", ".join(f"{airport.city} ({airport.code})" for airport in airline().airports)
        raise restate.TerminalError(f"We do not fly to {place}. We fly to {known}.", status_code=404)
    return found


def own_customer(customer_id: str) -> CustomerData:
    """The customer. Raises TerminalError 404."""
    customer = airline().customer(customer_id)
    if customer is None:
        raise restate.TerminalError("You are not known to this airline, so you cannot book here.", status_code=404)
    return customer


def flight_on_sale(number: str) -> FlightData:
    """The flight of that number. Raises TerminalError 404."""
    flight = airline().flight(number)
    if flight is None:
        raise restate.TerminalError(f"There is no flight {number}. Search for flights first.", status_code=404)
    return flight
