"""Search flights between two airports and build the results. Pure."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.models import Day, Flight
from services.tools.airline.data.schedule import NEXT_DAY
from services.tools.airline.flights.contract import FlightOffer, FlightOnDay, NamedDay, NotShown, OneStopFlights
from switchboard.builtin.calendar.dates import next_weekday

FlightKey = tuple[str, Day]
"""Flight number and day of departure."""

RESULT_MAX_BYTES = 16 * 1024
"""The agent loop cuts longer results off, in the middle of a flight."""

NOT_SHOWN_MAX_BYTES = 300
"""Reserved for the last element, which says how many connections are missing."""

OnDay = Mapping[FlightKey, FlightOnDay]


def resolve_day(date: dt.date | NamedDay, today: dt.date) -> Day:
    """Return the date of a named day. A weekday is the next one after today."""
    if isinstance(date, dt.date):
        return date.isoformat()
    if date == "today":
        return today.isoformat()
    if date == "tomorrow":
        return (today + dt.timedelta(days=1)).isoformat()
    return next_weekday(date, today).isoformat()


def direct_flights(data: AirlineData, origin: str, destination: str, day: Day, now: dt.datetime) -> list[FlightKey]:
    """Return the flights on sale on that day, in the order of the data set."""
    return [
        (flight.flight_number, day)
        for flight in data.flights.values()
        if (flight.origin, flight.destination) == (origin, destination) and on_sale(data, flight, day, now)
    ]


def one_stop_flights(
    data: AirlineData, origin: str, destination: str, day: Day, now: dt.datetime
) -> list[tuple[FlightKey, FlightKey]]:
    """Return the pairs of connecting flights on sale. The second departs on the day on which the first lands."""
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
    """Return whether the second flight departs no earlier than the first lands.

    Times are compared as text. So after a landing with `+1`, a departure in the same minute does not count.
    """
    return second.scheduled_departure_time_est >= first.scheduled_arrival_time_est


def landing_day(flight: Flight, day: Day) -> Day:
    nights = 1 if flight.scheduled_arrival_time_est.endswith(NEXT_DAY) else 0
    return (dt.date.fromisoformat(day) + dt.timedelta(days=nights)).isoformat()


def on_sale(data: AirlineData, flight: Flight, day: Day, now: dt.datetime) -> bool:
    found = data.on_day(flight.flight_number, day, now)
    return found is not None and found.status == "available"


def unique_keys(pairs: Iterable[tuple[FlightKey, FlightKey]]) -> Iterator[FlightKey]:
    """Yield every flight of the pairs once, in order."""
    yield from dict.fromkeys(key for pair in pairs for key in pair)


def offer(flight: FlightOnDay, dated: bool) -> FlightOffer:
    """Return the search result for a flight that is on sale."""
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


def fit_into_result(offers: Sequence[tuple[FlightOffer, FlightOffer]]) -> OneStopFlights:
    """Return all connections, or as many as fit into a result and then the number of missing ones."""
    whole = OneStopFlights(tuple(offers))
    if len(whole.model_dump_json()) <= RESULT_MAX_BYTES:
        return whole
    shown: list[tuple[FlightOffer, FlightOffer]] = []
    room = RESULT_MAX_BYTES - NOT_SHOWN_MAX_BYTES
    for pair in offers:
        # 2 extra bytes per flight for brackets and commas.
        room -= sum(len(one.model_dump_json()) + 2 for one in pair)
        if room < 0:
            break
        shown.append(pair)
    return OneStopFlights((*shown, NotShown(connections_not_shown=len(offers) - len(shown))))
