"""A customer's bookings: the shipped ones, the day they were pinned to, those made since, and changed seats. Pure."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field

from services.tools.demo_data.airline import AirlineData, BookedFlightData, BookingData, CustomerData
from services.tools.flights.contract import holder
from services.tools.reservations.contract import (
    BookedFlight,
    BookingStatus,
    Charge,
    RecordSeat,
    Reservation,
    ReservationList,
    UnrecordSeat,
)
from services.tools.reservations.made import MadeBooking
from switchboard.messages import Wire

# Where a booking stands in a list: what is still to come is what customers ask about.
ORDER: Mapping[BookingStatus, int] = {"confirmed": 0, "flown": 1, "cancelled": 2}


class SeatRecord(Wire):
    """The seat of a booking on one of its flights, the one before, and the claim by which it changed."""

    seat: str
    former: str
    claim_id: str | None = None


class Ledger(Wire):
    """All that is kept of a customer: the day from which the dates of the bookings are counted, changed seats, and
    the bookings that were made here, the oldest first."""

    opened_on: dt.date
    seats: dict[str, SeatRecord] = Field(default_factory=dict)
    made: tuple[MadeBooking, ...] = ()

    def known(self, customer: CustomerData) -> CustomerData:
        """The customer with the bookings made here after the shipped ones."""
        return customer.model_copy(
            update={"bookings": (*customer.bookings, *(made.as_it_stands() for made in self.made))}
        )


def seat_key(confirmation_number: str, flight_number: str, passenger: int = 1) -> str:
    return f"{holder(confirmation_number, passenger)}/{flight_number}"


def list_bookings(
    data: AirlineData, customer: CustomerData | None, ledger: Ledger, now: dt.datetime
) -> ReservationList:
    """All bookings, the next to depart first; an unknown customer has none."""
    bookings = ledger.known(customer).bookings if customer else ()
    found = [reservation(data, customer, booking, ledger, now) for booking in bookings if customer]
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
    passengers = booking.passengers or (customer.name,)
    return Reservation(
        summary=sentence(booking, flights, status, amount),
        confirmation_number=booking.confirmation_number,
        status=status,
        passenger=passengers[0],
        passengers=passengers,
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
    seats = recorded_seats(booking, booked, ledger)
    return BookedFlight(
        flight_number=flight.number,
        date=date,
        origin=flight.origin,
        destination=flight.destination,
        departure=flight.departure(date),
        arrival=flight.arrival(date),
        seat=seats[0],
        seats=seats,
    )


def recorded_seats(booking: BookingData, booked: BookedFlightData, ledger: Ledger) -> tuple[str, ...]:
    """The passengers' seats, in their order: where one was changed, the new one."""
    keys = (
        (seat_key(booking.confirmation_number, booked.flight_number, passenger), seat)
        for passenger, seat in enumerate((booked.seat, *booked.more_seats), start=1)
    )
    return tuple(ledger.seats[key].seat if key in ledger.seats else seat for key, seat in keys)


def booking_status(booking: BookingData, flights: tuple[BookedFlight, ...], now: dt.datetime) -> BookingStatus:
    if booking.cancelled:
        return "cancelled"
    return "flown" if all(flight.departure <= now for flight in flights) else "confirmed"


def charges(booking: BookingData) -> tuple[Charge, ...]:
    """What the price is made of."""
    return tuple(
        Charge(
            description=charge.description,
            net=charge.net,
            tax_percent=charge.tax_percent,
            tax=charge.tax,
        )
        for charge in booking.charges
    )


def total(booking: BookingData) -> Decimal:
    """The price with taxes, in the booking's currency."""
    return sum((charge.net + charge.tax for charge in charges(booking)), Decimal())


def sentence(booking: BookingData, flights: tuple[BookedFlight, ...], status: BookingStatus, amount: Decimal) -> str:
    legs = " and ".join(
        f"{flight.origin} to {flight.destination} on {flight.date:%-d %B}"
        f" ({flight.flight_number}, {spell_seats(flight.seats)})"
        for flight in flights
    )
    return f"{booking.confirmation_number}: {legs}, {booking.cabin}, {status}, {amount:.2f} {booking.currency}."


def spell_seats(seats: tuple[str, ...]) -> str:
    return f"seat {seats[0]}" if len(seats) == 1 else f"seats {', '.join(seats)}"


def record(ledger: Ledger, request: RecordSeat, former: str) -> Ledger:
    """The ledger with that seat; recording the same claim twice changes nothing."""
    key = seat_key(request.confirmation_number, request.flight_number, request.passenger)
    present = ledger.seats.get(key)
    if present and present.claim_id == request.claim_id:
        return ledger
    changed = SeatRecord(seat=request.seat, former=former, claim_id=request.claim_id)
    return ledger.model_copy(update={"seats": ledger.seats | {key: changed}})


def unrecord(ledger: Ledger, request: UnrecordSeat) -> Ledger:
    """The ledger with the seat before that claim; the same when the claim was never recorded, or is not the last."""
    key = seat_key(request.confirmation_number, request.flight_number, request.passenger)
    present = ledger.seats.get(key)
    if present is None or present.claim_id != request.claim_id:
        return ledger
    restored = SeatRecord(seat=present.former, former=present.former)
    return ledger.model_copy(update={"seats": ledger.seats | {key: restored}})
