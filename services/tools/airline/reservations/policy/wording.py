"""Flights and numbers in the words of a refusal. Pure."""

from collections.abc import Sequence

from services.tools.airline.reservations.itinerary import FlightKey, Leg


def named(key: FlightKey) -> str:
    number, day = key
    return f"{number} on {day}"


def legs(way: Sequence[Leg]) -> str:
    return ", ".join(f"{flight.flight_number} {flight.origin} to {flight.destination}" for flight in way)


def spoken(code: str) -> str:
    """`basic_economy` as people say it."""
    return code.replace("_", " ")


def plural(count: int) -> str:
    return "" if count == 1 else "s"
