"""Format flights and numbers for refusals. Pure."""

from collections.abc import Sequence

from services.tools.airline.reservations.itinerary import FlightKey, Leg


def format_flight_key(key: FlightKey) -> str:
    number, day = key
    return f"{number} on {day}"


def format_legs(way: Sequence[Leg]) -> str:
    return ", ".join(f"{flight.flight_number} {flight.origin} to {flight.destination}" for flight in way)


def plural(count: int) -> str:
    return "" if count == 1 else "s"
