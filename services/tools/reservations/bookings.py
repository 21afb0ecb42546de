"""A customer's bookings: the shipped ones, the day they were pinned to, and the seats that changed since. Pure."""

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from pydantic import Field

from services.tools.demo_data.airline import AirlineData, BookedFlightData, BookingData, CustomerData
from services.tools.reservations.contract import (
    BookedFlight,
    BookingStatus,
    Charge,
    RecordSeat,
    Reservation,
    ReservationList,
    UnrecordSeat,
)
from switchboard.messages import Wire
from switchboard.money import CENT

PERCENT = Decimal(100)
# Where a booking stands in a list: what is still to come is what customers ask about.
ORDER: Mapping[BookingStatus, int] = {"confirmed": 0, "flown": 1, "cancelled": 2}


class SeatRecord(Wire):
    """The seat of a booking on one of its flights, the one before, and the claim by which it changed."""

    seat: str
    former: str
    claim_id: str | None = None


class Ledger(Wire):
    """All that is kept of a customer: the day from which the dates of the bookings are counted, and changed seats."""

    opened_on: dt.date
    seats: dict[str, SeatRecord] = Field(default_factory=dict)


def seat_key(confirmation_number: str, flight_number: str) -> str:
    return f"{confirmation_number}/{flight_number}"


def list_bookings(
    data: AirlineData, customer: CustomerData | None, ledger: Ledger, now: dt.datetime
) -> ReservationList:
    """All bookings, the next to depart first; an unknown customer has none."""
    found = [reservation(data, customer, booking, ledger, now) for booking in customer.bookings] if customer else []
    found.sort(key=lambda booking: (ORDER[booking.status], booking.flights[0].departure))
    if not found:
        return ReservationList(summary="You have no bookings.", reservations=())
    count = "1 booking" if len(found) == 1 else f"{len(found)} bookings"
    return ReservationList(
        summary=" ".join([f"You have {count}.", *(booking.summary for booking in found)]), reservations=tuple(found)
    )


def reservation(
    data: AirlineData, customer: CustomerData, booking: BookingData, ledger: Ledger, now: dt.datetime
) -> Reservation:
    """One booking as of `now` (UTC)."""
    flights = tuple(booked_flight(data, booking, flight, ledger) for flight in booking.flights)
    status = booking_status(booking, flights, now)
    amount = total(booking)
    return Reservation(
        summary=sentence(booking, flights, status, amount),
        confirmation_number=booking.confirmation_number,
        status=status,
        passenger=customer.name,
        cabin=booking.cabin,
        flights=flights,
        total=amount,
        currency=booking.currency,
    )


def booked_flight(data: AirlineData, booking: BookingData, booked: BookedFlightData, ledger: Ledger) -> BookedFlight:
    flight = data.flight(booked.flight_number)
    if flight is None:
        raise LookupError(f"the demo data books {booked.flight_number}, which it does not have")
    date = ledger.opened_on + dt.timedelta(days=booked.departs_in_days)
    return BookedFlight(
        flight_number=flight.number,
        date=date,
        origin=flight.origin,
        destination=flight.destination,
        departure=flight.departure(date),
        arrival=flight.arrival(date),
        seat=recorded_seat(booking, booked, ledger),
    )


def recorded_seat(booking: BookingData, booked: BookedFlightData, ledger: Ledger) -> str:
    record = ledger.seats.get(seat_key(booking.confirmation_number, booked.flight_number))
    return record.seat if record else booked.seat


def booking_status(booking: BookingData, flights: tuple[BookedFlight, ...], now: dt.datetime) -> BookingStatus:
    if booking.cancelled:
        return "cancelled"
    return "flown" if all(flight.departure <= now for flight in flights) else "confirmed"


def charges(booking: BookingData) -> tuple[Charge, ...]:
    """What the price is made of. Tax is rounded for each charge, so that an invoice adds up line by line."""
    return tuple(
        Charge(
            description=charge.description,
            net=charge.net,
            tax_percent=charge.tax_percent,
            tax=(charge.net * charge.tax_percent / PERCENT).quantize(CENT, ROUND_HALF_UP),
        )
        for charge in booking.charges
    )


def total(booking: BookingData) -> Decimal:
    """The price with taxes, in the booking's currency."""
    return sum((charge.net + charge.tax for charge in charges(booking)), Decimal())


def sentence(booking: BookingData, flights: tuple[BookedFlight, ...], status: BookingStatus, amount: Decimal) -> str:
    legs = " and ".join(
        f"{flight.origin} to {flight.destination} on {flight.date:%-d %B} ({flight.flight_number}, seat {flight.seat})"
        for flight in flights
    )
    return f"{booking.confirmation_number}: {legs}, {booking.cabin}, {status}, {amount:.2f} {booking.currency}."


def record(ledger: Ledger, request: RecordSeat, former: str) -> Ledger:
    """The ledger with that seat; recording the same claim twice changes nothing."""
    key = seat_key(request.confirmation_number, request.flight_number)
    present = ledger.seats.get(key)
    if present and present.claim_id == request.claim_id:
        return ledger
    changed = SeatRecord(seat=request.seat, former=former, claim_id=request.claim_id)
    return ledger.model_copy(update={"seats": ledger.seats | {key: changed}})


def unrecord(ledger: Ledger, request: UnrecordSeat) -> Ledger:
    """The ledger with the seat before that claim; the same when the claim was never recorded, or is not the last."""
    key = seat_key(request.confirmation_number, request.flight_number)
    present = ledger.seats.get(key)
    if present is None or present.claim_id != request.claim_id:
        return ledger
    restored = SeatRecord(seat=present.former, former=present.former)
    return ledger.model_copy(update={"seats": ledger.seats | {key: restored}})
