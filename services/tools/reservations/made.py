"""The bookings that a customer has made here: recorded, cancelled, and either taken back by its id. Pure."""

import datetime as dt

from services.tools.demo_data.airline import BookedFlightData, BookingData, ChargeData
from services.tools.reservations.contract import NewBooking, Payment
from switchboard.messages import Wire
from switchboard.money import Money

MADE_MAX = 100
"""Bookings of one customer that are kept. The oldest cancelled one makes room for the next."""


class Cancellation(Wire):
    """By which cancellation a booking ended, and what is kept of its price."""

    cancellation_id: str
    fee: Money


class MadeBooking(Wire):
    """A booking in the form of the shipped ones: its date is counted from the day on which the ledger was opened."""

    booking_id: str
    booking: BookingData
    payments: tuple[Payment, ...]
    cancellation: Cancellation | None = None

    def as_it_stands(self) -> BookingData:
        """The booking; after its cancellation it costs the fee and nothing else."""
        if self.cancellation is None:
            return self.booking
        fee = ChargeData(description="Cancellation fee", net=self.cancellation.fee, tax_percent=0)
        charges = (fee,) if self.cancellation.fee else ()
        return self.booking.model_copy(update={"cancelled": True, "charges": charges})


Made = tuple[MadeBooking, ...]


def with_booking(made: Made, request: NewBooking, opened_on: dt.date) -> Made | None:
    """With the new booking, once for each id; None when there are too many."""
    if any(booking.booking_id == request.booking_id for booking in made):
        return made
    oldest_cancelled = next((booking for booking in made if booking.cancellation), None)
    if len(made) >= MADE_MAX and oldest_cancelled is None:
        return None
    kept = tuple(booking for booking in made if len(made) < MADE_MAX or booking is not oldest_cancelled)
    first, *more = request.seats
    flight = BookedFlightData(
        flight_number=request.flight_number,
        departs_in_days=(request.date - opened_on).days,
        seat=first,
        more_seats=tuple(more),
    )
    booking = BookingData(
        confirmation_number=request.confirmation_number,
        passengers=request.passengers,
        cabin=request.cabin,
        currency=request.currency,
        flights=(flight,),
        charges=tuple(ChargeData(**charge.model_dump()) for charge in request.charges),
    )
    return (*kept, MadeBooking(booking_id=request.booking_id, booking=booking, payments=request.payments))


def without_booking(made: Made, booking_id: str) -> Made:
    """Without that booking; the same when it was never recorded."""
    return tuple(booking for booking in made if booking.booking_id != booking_id)


def find(made: Made, confirmation_number: str) -> MadeBooking | None:
    return next((found for found in made if found.booking.confirmation_number == confirmation_number), None)


def with_cancellation(made: Made, confirmation_number: str, cancellation: Cancellation | None) -> Made:
    """With that booking cancelled, or not cancelled any more."""
    return tuple(
        found.model_copy(update={"cancellation": cancellation})
        if found.booking.confirmation_number == confirmation_number
        else found
        for found in made
    )
