"""The facts that the check of a write finds before the customer is asked, and how questions word them. Values only.

A question words what the model chose from the call itself. The facts only add to it: routes, prices, refunds, and the
cards behind the ids. So two calls that differ never get the same question.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

from services.tools.airline.data.models import Day, FlightType, Passenger, Reservation, ReservedFlight
from services.tools.airline.data.schedule import is_day
from services.tools.airline.rules import CURRENCY, REFUND_TIME
from switchboard import WireModel, quoted
from switchboard.builtin.calendar.contract import format_date
from switchboard.money import Money, format_amount
from switchboard.text import one_line


class MethodFacts(WireModel):
    """A payment method of the customer: `card` is such as "Visa ending in 4242", and empty for anything but a card."""

    payment_id: str
    card: str = ""


class Movement(MethodFacts):
    """An amount that comes back to a payment method, or that is lost with it."""

    amount: Money


class BookingFacts(WireModel):
    """The flights with their fares for one passenger, the whole price, and what is lost of certificates (rule P5)."""

    flights: tuple[ReservedFlight, ...]
    price: Money
    methods: tuple[MethodFacts, ...]
    lost: tuple[Movement, ...] = ()


class CancellationFacts(WireModel):
    reservation: Reservation
    refunds: tuple[Movement, ...]


class FlightsFacts(WireModel):
    """The reservation, the new flights, and the price of the change, which is negative for a refund."""

    reservation: Reservation
    flights: tuple[ReservedFlight, ...]
    price: Money
    method: MethodFacts


class PassengersFacts(WireModel):
    reservation: Reservation


class BagsFacts(WireModel):
    reservation: Reservation
    price: Money
    method: MethodFacts


def readable(code: str) -> str:
    """Return `basic_economy` as "basic economy"."""
    return code.replace("_", " ")


def format_reservation(reservation_id: str, reservation: Reservation) -> str:
    route = format_route(reservation.origin, reservation.destination, reservation.flight_type)
    keys = [(flight.flight_number, flight.date) for flight in reservation.flights]
    flights = format_flights(keys, reservation.flights)
    return f"reservation {reservation_id}, {route}, in {readable(reservation.cabin)} ({flights})"


def format_route(origin: str, destination: str, flight_type: FlightType) -> str:
    return f"{origin} to {destination}, {readable(flight_type)}"


def format_flights(keys: Iterable[tuple[str, Day]], known: Sequence[ReservedFlight]) -> str:
    """Return the flights with these numbers and days, each with its route if it is among the known ones."""
    routes = {(flight.flight_number, flight.date): f" {flight.origin} to {flight.destination}" for flight in known}
    return "; ".join(f"{number}{routes.get((number, day), '')} on {format_day(day)}" for number, day in keys)


def format_day(day: Day) -> str:
    """Return a date in words. Dates of birth in a data set are not checked, so a text that is no date stays."""
    return format_date(dt.date.fromisoformat(day)) if is_day(day) else day


def format_method(payment_id: str, methods: Iterable[MethodFacts]) -> str:
    """Return the name of a payment method. It contains the whole id, because two cards can end in the same digits."""
    card = next((method.card for method in methods if method.payment_id == payment_id), "")
    return f"{readable(payment_id)} ({card})" if card else readable(payment_id)


def format_price(price: Decimal, payment_id: str, method: MethodFacts) -> str:
    """Return what a change costs or gives back, as a sentence."""
    name = format_method(payment_id, (method,))
    if price > 0:
        return f"You pay {format_amount(price, CURRENCY)} with {name}."
    if price < 0:
        return f"You get back {format_amount(-price, CURRENCY)} to {name}."
    return f"The price stays the same, so nothing is charged to {name}."


def format_lost(lost: Sequence[Movement]) -> str:
    parts = (f"{format_amount(part.amount, CURRENCY)} of {readable(part.payment_id)}" for part in lost)
    return f" The other {' and '.join(parts)} are lost." if lost else ""


def format_refunds(refunds: Sequence[Movement]) -> str:
    if not refunds:
        return "There is nothing to refund."
    total = format_amount(sum((part.amount for part in refunds), Decimal()), CURRENCY)
    parts = (f"{format_amount(part.amount, CURRENCY)} to {format_method(part.payment_id, (part,))}" for part in refunds)
    return f"You get back {total} within {REFUND_TIME}: {', '.join(parts)}."


def format_names(people: Iterable[Passenger]) -> str:
    return ", ".join(format_name(person) for person in people)


def format_people(people: Iterable[Passenger]) -> str:
    return ", ".join(f"{format_name(person)}, born on {format_birthday(person.dob)}" for person in people)


def format_birthday(day: Day) -> str:
    """Return a date in words, without its day of the week."""
    return format_day(day).rpartition(", ")[2]


def format_name(person: Passenger) -> str:
    """Return both names, each in quotes: the same words can be split into first and last name in two ways.

    Names in a data set, and names that were stored by older versions, may have hidden characters.
    """
    return f"{quoted(one_line(person.first_name))} {quoted(one_line(person.last_name))}"
