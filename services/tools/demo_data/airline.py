"""Reads the airline's shipped demo data, once per process, and checks it; knows nothing of what changed since."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from switchboard.messages import Wire
from switchboard.money import CENT

DATA = Path(__file__).with_name("airline.json")

PERCENT = Decimal(100)

CabinName = Literal["business", "economy"]
MeansKind = Literal["gift_card", "certificate", "credit_card"]


class AirportData(Wire):
    """Where one can fly from; one airport for each city."""

    code: str
    city: str


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

    `fares` are net of tax, for one passenger, as are the `airport_charges`, which bear no tax.
    `always_free` are seats that no stranger ever takes, for the walk-through in the documentation.
    """

    number: str
    origin: str
    destination: str
    departs: dt.time
    minutes: int
    gate: str
    fares: dict[CabinName, Decimal]
    fare_tax_percent: int
    airport_charges: Decimal
    disruption: Disruption | None = None
    always_free: tuple[str, ...] = ()

    def departure(self, date: dt.date) -> dt.datetime:
        """The scheduled departure of that day's flight, UTC."""
        return dt.datetime.combine(date, self.departs, tzinfo=dt.UTC)

    def arrival(self, date: dt.date) -> dt.datetime:
        """The scheduled arrival of the flight that leaves on that day, UTC."""
        return self.departure(date) + dt.timedelta(minutes=self.minutes)


class BookedFlightData(Wire):
    """One flight of a booking, so many days after the customer's bookings were first looked at; negative is past.

    `more_seats` are those of the second passenger and on.
    """

    flight_number: str
    departs_in_days: int
    seat: str
    more_seats: tuple[str, ...] = ()


class ChargeData(Wire):
    """One position of the price: `net` in the booking's currency, and the tax on it in percent."""

    description: str
    net: Decimal
    tax_percent: int

    @property
    def tax(self) -> Decimal:
        """Rounded for each charge, so that an invoice adds up line by line."""
        return (self.net * self.tax_percent / PERCENT).quantize(CENT, ROUND_HALF_UP)


class BookingData(Wire):
    """A booking; `passengers` is empty when it is for the customer alone. No flight number occurs in it twice."""

    confirmation_number: str
    passengers: tuple[str, ...] = ()
    cabin: CabinName
    currency: str
    cancelled: bool = False
    flights: tuple[BookedFlightData, ...]
    charges: tuple[ChargeData, ...]


class PaymentMeansData(Wire):
    """What a customer can pay with. A gift card and a certificate have a `value`; a credit card has a `card_token`,
    which names it to the card processor and to nobody else."""

    means_id: str
    kind: MeansKind
    label: str
    currency: str
    value: Decimal = Decimal()
    card_token: str | None = None


class DeclinedCardData(Wire):
    """A card that the card processor always declines."""

    card_token: str
    reason: str


class CustomerData(Wire):
    customer_id: str
    name: str
    email: str
    payment_means: tuple[PaymentMeansData, ...] = ()
    bookings: tuple[BookingData, ...]


class AirlineData(Wire):
    """The airline as it was before anybody changed anything."""

    currency: str
    cabins: tuple[CabinData, ...]
    seats_taken_percent: int
    airports: tuple[AirportData, ...]
    flights: tuple[FlightData, ...]
    customers: tuple[CustomerData, ...]
    declined_cards: tuple[DeclinedCardData, ...]

    def flight(self, number: str) -> FlightData | None:
        return next((flight for flight in self.flights if flight.number == number), None)

    def customer(self, customer_id: str) -> CustomerData | None:
        return next((customer for customer in self.customers if customer.customer_id == customer_id), None)

    def city(self, place: str) -> str | None:
        """The city that a name or an airport code stands for, in any case; None when nobody flies there."""
        wanted = place.strip().casefold()
        names = {name.casefold(): airport.city for airport in self.airports for name in (airport.code, airport.city)}
        return names.get(wanted)

    def confirmation_numbers(self) -> frozenset[str]:
        return frozenset(booking.confirmation_number for customer in self.customers for booking in customer.bookings)

    def card(self, card_token: str) -> PaymentMeansData | None:
        """The card that the card processor knows by this token."""
        means = (means for customer in self.customers for means in customer.payment_means)
        return next((card for card in means if card.card_token == card_token), None)

    def declined(self, card_token: str) -> DeclinedCardData | None:
        return next((card for card in self.declined_cards if card.card_token == card_token), None)

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
