"""What flights cost, and how offers and prices are told. Pure."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from services.tools.bookings.contract import FARES_CURRENCY, CabinOffer, FlightOffer, FlightOffers
from services.tools.demo_data.airline import ChargeData, FlightData
from services.tools.flights.contract import Cabin, Seat
from services.tools.reservations.contract import NetCharge
from switchboard.money import spell

CABINS: tuple[Cabin, ...] = ("economy", "business")


def charges(flight: FlightData, cabin: Cabin, passengers_total: int) -> tuple[NetCharge, ...]:
    """The positions of the price of a booking, net, in the fares' currency."""
    for_all = f", {passengers_total} passengers" if passengers_total > 1 else ""
    return (
        NetCharge(
            description=f"Fare {flight.origin} to {flight.destination}, {cabin}{for_all}",
            net=flight.fares[cabin] * passengers_total,
            tax_percent=flight.fare_tax_percent,
        ),
        NetCharge(
            description=f"Airport charges{for_all}", net=flight.airport_charges * passengers_total, tax_percent=0
        ),
    )


def total(positions: Sequence[NetCharge]) -> Decimal:
    """The price with taxes."""
    priced = [ChargeData(**position.model_dump()) for position in positions]
    return sum((position.net + position.tax for position in priced), Decimal())


def offer(flight: FlightData, date: dt.date, seats: Sequence[Seat]) -> FlightOffer:
    """A flight with the price for one passenger in each cabin, and the seats that are free."""
    return FlightOffer(
        flight_number=flight.number,
        date=date,
        origin=flight.origin,
        destination=flight.destination,
        departure=flight.departure(date),
        arrival=flight.arrival(date),
        cabins=tuple(
            CabinOffer(
                cabin=cabin,
                price=total(charges(flight, cabin, 1)),
                free_seats=sum(seat.free and seat.cabin == cabin for seat in seats),
            )
            for cabin in CABINS
        ),
    )


def offers(origin: str, destination: str, date: dt.date, found: Sequence[FlightOffer]) -> FlightOffers:
    """All flights of the day, told in sentences; or that there is none."""
    day = f"{date:%A %-d %B %Y} ({date})"
    told = f"There is no flight from {origin} to {destination} that can be booked on {day}."
    if found:
        flights = " ".join(sentence(flight) for flight in found)
        told = f"From {origin} to {destination} on {day}: {flights}"
    return FlightOffers(summary=told, currency=FARES_CURRENCY, flights=tuple(found))


def sentence(flight: FlightOffer) -> str:
    cabins = ", ".join(
        f"{cabin.cabin} {spell(cabin.price, FARES_CURRENCY)} ({cabin.free_seats} free)" for cabin in flight.cabins
    )
    return f"{flight.flight_number} at {flight.departure:%H:%M} UTC, {cabins}."
