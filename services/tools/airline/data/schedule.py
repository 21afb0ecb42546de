"""The airline's clock and calendar: its zone, times of a day, and how a flight that flies every day is doing. Pure."""

import datetime as dt

from services.tools.airline.data.records import Day, Flight, FlightDay

AIRLINE_ZONE = dt.timezone(dt.timedelta(hours=-5), "EST")
"""By which all days and times without a zone go, the whole year."""

NEXT_DAY = "+1"

EVERY_DAY = "*"
"""Instead of a day: what holds for every day."""

KNOWN_DAYS_BACK = 30
KNOWN_DAYS_AHEAD = 330


def at(day: Day, time: str) -> dt.datetime:
    """`06:30:00` or `06:30:00+1` of a day of departure, with the airline's zone. Raises ValueError."""
    days = 1 if time.endswith(NEXT_DAY) else 0
    clock = dt.time.fromisoformat(time.removesuffix(NEXT_DAY))
    return dt.datetime.combine(dt.date.fromisoformat(day), clock, AIRLINE_ZONE) + dt.timedelta(days=days)


def today(now: dt.datetime) -> dt.date:
    return now.astimezone(AIRLINE_ZONE).date()


def format_airline_time(moment: dt.datetime) -> str:
    """As records hold a moment: by the airline's clock, to the second, without a zone."""
    return moment.astimezone(AIRLINE_ZONE).replace(tzinfo=None, microsecond=0).isoformat()


def is_day(day: Day) -> bool:
    try:
        dt.date.fromisoformat(day)
    except ValueError:
        return False
    return True


def on_day(flight: Flight, day: Day, now: dt.datetime) -> FlightDay | None:
    """The flight on that day, before any reservation made here; None when it does not fly."""
    if day in flight.dates:
        return flight.dates[day] if day != EVERY_DAY else None
    template = flight.dates.get(EVERY_DAY)
    if template is None or not is_day(day):
        return None
    ahead = (dt.date.fromisoformat(day) - today(now)).days
    return daily(flight, template, day, now) if -KNOWN_DAYS_BACK <= ahead <= KNOWN_DAYS_AHEAD else None


def late_every_day(flight: Flight, day: Day) -> bool:
    """Whether the flight is late on that day as on every other, so that whoever books it may know."""
    template = flight.dates.get(EVERY_DAY)
    return day not in flight.dates and template is not None and template.status == "delayed"


def daily(flight: Flight, template: FlightDay, day: Day, now: dt.datetime) -> FlightDay:
    """How a flight of every day is doing on this one: on sale until its day comes, then by the clock.

    What is wrong with it is so on every day alike: `cancelled`, or `delayed` with the times of day that are expected.
    """
    if template.status == "cancelled":
        return FlightDay(status="cancelled")
    if dt.date.fromisoformat(day) > today(now):
        return FlightDay(status="available", available_seats=template.available_seats, prices=template.prices)
    departure = at(day, template.estimated_departure_time_est or flight.scheduled_departure_time_est)
    arrival = at(day, template.estimated_arrival_time_est or flight.scheduled_arrival_time_est)
    leaves, lands = format_airline_time(departure), format_airline_time(arrival)
    if now < departure:
        waiting = "delayed" if template.status == "delayed" else "on time"
        return FlightDay(status=waiting, estimated_departure_time_est=leaves, estimated_arrival_time_est=lands)
    if now < arrival:
        return FlightDay(status="flying", actual_departure_time_est=leaves, estimated_arrival_time_est=lands)
    return FlightDay(status="landed", actual_departure_time_est=leaves, actual_arrival_time_est=lands)
