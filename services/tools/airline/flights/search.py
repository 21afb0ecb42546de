"""Which flights there are between two airports, and what is told of them. Pure."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.records import Day, Flight
from services.tools.airline.data.schedule import NEXT_DAY
from services.tools.airline.flights.contract import FlightOffer, FlightOnDay, NamedDay, NotShown, OneStopFlights
from switchboard.builtin.calendar.dates import coming

FlightKey = tuple[str, Day]
"""Flight number and day of departure."""

RESULT_MAX_BYTES = 16 * 1024
"""What the loop shows a model of a result; it would cut the rest off in the middle of a flight."""

NOT_SHOWN_MAX_BYTES = 300
"""Room for the words that there are more."""

OnDay = Mapping[FlightKey, FlightOnDay]


def day_of(date: dt.date | NamedDay, today: dt.date) -> Day:
    """The day that is meant; a weekday is the next one after today."""
    if isinstance(date, dt.date):
        return date.isoformat()
    if date == "today":
        return today.isoformat()
    if date == "tomorrow":
        return (today + dt.timedelta(days=1)).isoformat()
    return coming(date, today).isoformat()


def direct(data: AirlineData, origin: str, destination: str, day: Day, now: dt.datetime) -> list[FlightKey]:
    """The flights of that day that are on sale, in the order of the data set."""
    return [
        (flight.flight_number, day)
        for flight in data.flights.values()
        if (flight.origin, flight.destination) == (origin, destination) and on_sale(data, flight, day, now)
    ]


def one_stop(
    data: AirlineData, origin: str, destination: str, day: Day, now: dt.datetime
) -> list[tuple[FlightKey, FlightKey]]:
    """The pairs of flights that are on sale; the second may leave on the day after, when the first lands on it."""
    firsts = [flight for flight in data.flights.values() if flight.origin == origin]
    seconds = [flight for flight in data.flights.values() if flight.destination == destination]
    return [
        ((first.flight_number, day), (second.flight_number, landing_day(first, day)))
        for first in firsts
        if on_sale(data, first, day, now)
        for second in seconds
        if first.destination == second.origin
        and connects(first, second)
        and on_sale(data, second, landing_day(first, day), now)
    ]


def connects(first: Flight, second: Flight) -> bool:
    """Whether the second leaves no earlier than the first lands, on the day on which it lands. Times are compared as
    they are spelled: so one that lands on the day after makes no connection in the same minute."""
    return second.scheduled_departure_time_est >= first.scheduled_arrival_time_est


def landing_day(flight: Flight, day: Day) -> Day:
    nights = 1 if flight.scheduled_arrival_time_est.endswith(NEXT_DAY) else 0
    return (dt.date.fromisoformat(day) + dt.timedelta(days=nights)).isoformat()


def on_sale(data: AirlineData, flight: Flight, day: Day, now: dt.datetime) -> bool:
    found = data.on_day(flight.flight_number, day, now)
    return found is not None and found.status == "available"


def keys_of(pairs: Iterable[tuple[FlightKey, FlightKey]]) -> Iterator[FlightKey]:
    """Every flight of the pairs once, in their order."""
    yield from dict.fromkeys(key for pair in pairs for key in pair)


def offer(flight: FlightOnDay, dated: bool) -> FlightOffer:
    """What is told of a flight that is on sale."""
    return FlightOffer(
        flight_number=flight.flight_number,
        origin=flight.origin,
        destination=flight.destination,
        status="available",
        scheduled_departure_time_est=flight.scheduled_departure_time_est,
        scheduled_arrival_time_est=flight.scheduled_arrival_time_est,
        date=flight.date if dated else None,
        available_seats=flight.day.available_seats or {},
        prices=flight.day.prices or {},
    )


def within_a_result(offers: Sequence[tuple[FlightOffer, FlightOffer]]) -> OneStopFlights:
    """All connections; or the first ones, as many as a model is shown whole, and at the end how many more there are."""
    whole = OneStopFlights(tuple(offers))
    if len(whole.model_dump_json()) <= RESULT_MAX_BYTES:
        return whole
    shown: list[tuple[FlightOffer, FlightOffer]] = []
    room = RESULT_MAX_BYTES - NOT_SHOWN_MAX_BYTES
    for pair in offers:
        # Brackets and a comma beside the two flights.
        room -= sum(len(one.model_dump_json()) + 2 for one in pair)
        if room < 0:
            break
        shown.append(pair)
    return OneStopFlights((*shown, NotShown(connections_not_shown=len(offers) - len(shown))))
