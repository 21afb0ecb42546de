"""The facts that the check of a write finds before the customer is asked, and how questions word them. Values only.

A question shows every fact, and it words what the model chose from the call itself. So another call and another fact
lead to another question.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

from services.tools.airline.data.models import Cabin, Day, FlightType, Name, Passenger, is_day
from services.tools.airline.rules import CURRENCY, REFUND_TIME
from switchboard import WireModel, quoted
from switchboard.builtin.calendar.contract import MONTHS, format_date
from switchboard.money import Money, format_amount
from switchboard.text import one_line


class FlightFacts(WireModel):
    """A flight of a reservation: where from, where to, and when."""

    flight_number: str
    origin: str
    destination: str
    date: Day


class Trip(WireModel):
    """The reservation as it is now."""

    origin: str
    destination: str
    flight_type: FlightType
    cabin: Cabin
    flights: tuple[FlightFacts, ...]


class Card(WireModel):
    """A credit card that pays: `name` is such as "Visa ending in 4242"."""

    payment_id: str
    name: str


class Movement(WireModel):
    """An amount that comes back to a payment method, or that is lost with it. `card` is empty if it is not a card."""

    payment_id: str
    amount: Money
    card: str = ""


class BookingFacts(WireModel):
    """The airports in order, the whole price, the cards that pay, and what is lost of certificates (rule P5)."""

    route: tuple[str, ...]
    price: Money
    cards: tuple[Card, ...]
    lost: tuple[Movement, ...]


class CancellationFacts(WireModel):
    trip: Trip
    refunds: tuple[Movement, ...]
    passengers: tuple[Name, ...]


class FlightsFacts(WireModel):
    """The reservation, the new route, and the price of the change, which is negative for a refund."""

    trip: Trip
    route: tuple[str, ...]
    price: Money
    card: str
    passengers: tuple[Name, ...]


class PassengersFacts(WireModel):
    trip: Trip
    passengers: tuple[Passenger, ...]


class BagsFacts(WireModel):
    """The reservation with its bags until now, and the price of the change."""

    trip: Trip
    total_baggages: int
    nonfree_baggages: int
    price: Money
    card: str
    passengers: tuple[Name, ...]


def readable(code: str) -> str:
    """Return `basic_economy` as "basic economy"."""
    return code.replace("_", " ")


def format_trip(reservation_id: str, trip: Trip) -> str:
    route = f"{trip.origin} to {trip.destination}, {readable(trip.flight_type)}, in {readable(trip.cabin)}"
    flights = "; ".join(
        f"flight {flight.flight_number} from {flight.origin} to {flight.destination} on {format_day(flight.date)}"
        for flight in trip.flights
    )
    return f"reservation {reservation_id}, {route} ({flights})"


def format_flights(keys: Iterable[tuple[str, Day]], route: Sequence[str]) -> str:
    """Return the flights with these numbers and days, and the airports that they connect."""
    flights = "; ".join(f"{number} on {format_day(day)}" for number, day in keys)
    return f"{flights}, from {' to '.join(route)}"


def format_day(day: Day) -> str:
    """Return a date in words. Dates in a data set are not checked, so a text that is no date stays as it is."""
    return format_date(dt.date.fromisoformat(day)) if is_day(day) else one_line(day)


def format_birthday(day: Day) -> str:
    """Return a date of birth in words, without its day of the week."""
    if not is_day(day):
        return one_line(day)
    born = dt.date.fromisoformat(day)
    return f"{born.day} {MONTHS[born.month - 1]} {born.year}"


def format_method(payment_id: str, card: str = "") -> str:
    """Return the name of a payment method. It contains the whole id, because two cards can end in the same digits."""
    return f"{readable(payment_id)} ({card})" if card else readable(payment_id)


def format_cards(cards: Sequence[Card]) -> str:
    return "".join(f" Your {readable(card.payment_id)} is the {card.name}." for card in cards)


def format_price(price: Decimal, payment_id: str, card: str) -> str:
    """Return what a change costs or gives back, as a sentence."""
    name = format_method(payment_id, card)
    if price > 0:
        return f"You pay {format_amount(price, CURRENCY)} with {name}."
    if price < 0:
        return f"You get back {format_amount(-price, CURRENCY)} to {name}."
    return f"The price stays the same, so nothing is charged to {name}."


def format_lost(lost: Sequence[Movement]) -> str:
    parts = (f"{format_amount(part.amount, CURRENCY)} of {format_method(part.payment_id, part.card)}" for part in lost)
    return f" The other {' and '.join(parts)} are lost." if lost else ""


def format_refunds(refunds: Sequence[Movement]) -> str:
    if not refunds:
        return "There is nothing to refund."
    total = format_amount(sum((part.amount for part in refunds), Decimal()), CURRENCY)
    parts = (
        f"{format_amount(part.amount, CURRENCY)} to {format_method(part.payment_id, part.card)}" for part in refunds
    )
    return f"You get back {total} within {REFUND_TIME}: {', '.join(parts)}."


def format_names(people: Iterable[Name | Passenger]) -> str:
    return ", ".join(format_name(person) for person in people)


def format_people(people: Iterable[Passenger]) -> str:
    return ", ".join(f"{format_name(person)}, born on {format_birthday(person.dob)}" for person in people)


def format_name(person: Name | Passenger) -> str:
    """Return both names, each in quotes: the same words can be split into first and last name in two ways.

    Names in a data set, and names that were stored by older versions, may have hidden characters.
    """
    return f"{quoted(one_line(person.first_name))} {quoted(one_line(person.last_name))}"
