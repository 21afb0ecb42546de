"""Reads the airline's shipped demo data, once per process, and checks it; knows nothing of what changed since."""

import datetime as dt
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from switchboard.messages import Wire

DATA = Path(__file__).with_name("airline.json")

CabinName = Literal["business", "economy"]


class CabinData(Wire):
    """The rows of one cabin; every aircraft of the demo is laid out alike."""

    name: CabinName
    first_row: int
    last_row: int
    letters: str


class Disruption(Wire):
    """What goes wrong with a flight, on every day alike, so that a demo shows the same whenever it is run."""

    kind: Literal["delayed", "cancelled"]
    reason: str
    minutes: int = 0


class FlightData(Wire):
    """A flight that leaves daily at `departs` (UTC) and takes `minutes`.

    `always_free` are seats that no stranger ever takes, for the walk-through in the documentation.
    """

    number: str
    origin: str
    destination: str
    departs: dt.time
    minutes: int
    gate: str
    disruption: Disruption | None = None
    always_free: tuple[str, ...] = ()

    def departure(self, date: dt.date) -> dt.datetime:
        """The scheduled departure of that day's flight, UTC."""
        return dt.datetime.combine(date, self.departs, tzinfo=dt.UTC)

    def arrival(self, date: dt.date) -> dt.datetime:
        """The scheduled arrival of the flight that leaves on that day, UTC."""
        return self.departure(date) + dt.timedelta(minutes=self.minutes)


class BookedFlightData(Wire):
    """One flight of a booking, so many days after the customer's bookings were first looked at; negative is past."""

    flight_number: str
    departs_in_days: int
    seat: str


class ChargeData(Wire):
    """One position of the price: `net` in the booking's currency, and the tax on it in percent."""

    description: str
    net: Decimal
    tax_percent: int


class BookingData(Wire):
    """A booking of one passenger. No flight number occurs in it twice."""

    confirmation_number: str
    cabin: CabinName
    currency: str
    cancelled: bool = False
    flights: tuple[BookedFlightData, ...]
    charges: tuple[ChargeData, ...]


class CustomerData(Wire):
    customer_id: str
    name: str
    email: str
    bookings: tuple[BookingData, ...]


class AirlineData(Wire):
    """The airline as it was before anybody changed anything."""

    cabins: tuple[CabinData, ...]
    seats_taken_percent: int
    flights: tuple[FlightData, ...]
    customers: tuple[CustomerData, ...]

    def flight(self, number: str) -> FlightData | None:
        return next((flight for flight in self.flights if flight.number == number), None)

    def customer(self, customer_id: str) -> CustomerData | None:
        return next((customer for customer in self.customers if customer.customer_id == customer_id), None)

    def seats_booked(self, flight_number: str) -> dict[str, str]:
        """Seats of that flight by confirmation number.

        They are kept on every date: a booking's date depends on when its customer first came, and so two bookings
        never meet on a seat, whenever that was.
        """
        return {
            booking.confirmation_number: flight.seat
            for customer in self.customers
            for booking in customer.bookings
            for flight in booking.flights
            if flight.flight_number == flight_number
        }


@cache
def airline() -> AirlineData:
    """The demo data, parsed at the first use. Raises ValidationError when the shipped file is broken."""
    return AirlineData.model_validate_json(DATA.read_bytes())
