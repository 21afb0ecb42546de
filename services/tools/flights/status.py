"""How a flight is doing, by its schedule, its disruption and the clock. Pure."""

import datetime as dt

from services.tools.demo_data.airline import FlightData
from services.tools.flights.contract import FlightStatus, State

BOARDING_BEFORE_DEPARTURE = dt.timedelta(minutes=40)
KNOWN_DAYS_BACK = 30
KNOWN_DAYS_AHEAD = 330


def date_in_question(flight: FlightData, now: dt.datetime) -> dt.date:
    """The day of the flight that is under way, or else of the one that leaves next."""
    today = now.date()
    # A flight that left yesterday may still be in the air.
    days = (today - dt.timedelta(days=1), today)
    return next((day for day in days if expected_arrival(flight, day) > now), today + dt.timedelta(days=1))


def is_known(date: dt.date, now: dt.datetime) -> bool:
    """Whether the status of that day's flights is kept: some days back, and as far ahead as tickets are sold."""
    return -KNOWN_DAYS_BACK <= (date - now.date()).days <= KNOWN_DAYS_AHEAD


def is_cancelled(flight: FlightData) -> bool:
    return flight.disruption is not None and flight.disruption.kind == "cancelled"


def delay_minutes(flight: FlightData) -> int:
    return flight.disruption.minutes if flight.disruption else 0


def expected_departure(flight: FlightData, date: dt.date) -> dt.datetime:
    return flight.departure(date) + dt.timedelta(minutes=delay_minutes(flight))


def expected_arrival(flight: FlightData, date: dt.date) -> dt.datetime:
    return flight.arrival(date) + dt.timedelta(minutes=delay_minutes(flight))


def state(flight: FlightData, date: dt.date, now: dt.datetime) -> State:
    """What the flight is doing at that moment; what is happening goes before how late it is."""
    leaves = expected_departure(flight, date)
    if is_cancelled(flight):
        return "cancelled"
    if now >= expected_arrival(flight, date):
        return "landed"
    if now >= leaves:
        return "departed"
    if now >= leaves - BOARDING_BEFORE_DEPARTURE:
        return "boarding"
    return "delayed" if delay_minutes(flight) else "on_time"


def status(flight: FlightData, date: dt.date, now: dt.datetime) -> FlightStatus:
    """The status of the flight that leaves on that day, as of `now` (UTC)."""
    cancelled = is_cancelled(flight)
    return FlightStatus(
        summary=sentence(flight, date, state(flight, date, now)),
        flight_number=flight.number,
        date=date,
        origin=flight.origin,
        destination=flight.destination,
        status=state(flight, date, now),
        delay_minutes=delay_minutes(flight),
        scheduled_departure=flight.departure(date),
        scheduled_arrival=flight.arrival(date),
        expected_departure=None if cancelled else expected_departure(flight, date),
        expected_arrival=None if cancelled else expected_arrival(flight, date),
        gate=None if cancelled else flight.gate,
        reason=flight.disruption.reason if flight.disruption else None,
    )


def sentence(flight: FlightData, date: dt.date, doing: State) -> str:
    """The status in words: who, when, from where; minutes late and the reason where there are any."""
    subject = f"{flight.number} from {flight.origin} to {flight.destination} on {date:%-d %B}"
    leaves = f"{expected_departure(flight, date):%H:%M} UTC"
    lands = f"{expected_arrival(flight, date):%H:%M} UTC"
    minutes = delay_minutes(flight)
    late = f" {minutes} minutes late" if minutes else ""
    why = f" ({flight.disruption.reason})" if flight.disruption else ""
    match doing:
        case "on_time":
            return f"{subject} leaves on time at {leaves} from gate {flight.gate}."
        case "delayed":
            return f"{subject} is delayed by {minutes} minutes{why}: it leaves at {leaves} from gate {flight.gate}."
        case "cancelled":
            return f"{subject} is cancelled{why}."
        case "boarding":
            return f"{subject} is boarding at gate {flight.gate} and leaves{late} at {leaves}."
        case "departed":
            return f"{subject} left{late} at {leaves} and lands at {lands}."
        case "landed":
            return f"{subject} landed{late} at {lands}."
