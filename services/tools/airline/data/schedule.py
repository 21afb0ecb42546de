"""The airline's time zone and calendar, and the status of flights that fly every day. Pure."""

import datetime as dt

from services.tools.airline.data.models import Day, Flight, FlightDay, is_day

AIRLINE_ZONE = dt.timezone(dt.timedelta(hours=-5), "EST")
"""The time zone of all dates and times that have none, all year."""

NEXT_DAY = "+1"

EVERY_DAY = "*"
"""Key in a flight's `dates` that stands for every day."""

# Daily flights are known in this range of days around today.
KNOWN_DAYS_BACK = 30
KNOWN_DAYS_AHEAD = 330


def at(day: Day, time: str) -> dt.datetime:
    """Return the time `06:30:00` or `06:30:00+1` of a day of departure, in the airline's zone. Raises ValueError."""
    days = 1 if time.endswith(NEXT_DAY) else 0
    clock = dt.time.fromisoformat(time.removesuffix(NEXT_DAY))
    return dt.datetime.combine(dt.date.fromisoformat(day), clock, AIRLINE_ZONE) + dt.timedelta(days=days)


def today(now: dt.datetime) -> dt.date:
    return now.astimezone(AIRLINE_ZONE).date()


def format_local_time(time: dt.datetime) -> str:
    """Format a time as records store it: in the airline's time zone, to the second, without the zone."""
    return time.astimezone(AIRLINE_ZONE).replace(tzinfo=None, microsecond=0).isoformat()


def on_day(flight: Flight, day: Day, now: dt.datetime) -> FlightDay | None:
    """Return the flight's initial state on that day; None if it does not fly."""
    if day in flight.dates:
        return flight.dates[day] if day != EVERY_DAY else None
    template = flight.dates.get(EVERY_DAY)
    if template is None or not is_day(day):
        return None
    ahead = (dt.date.fromisoformat(day) - today(now)).days
    return daily_flight(flight, template, day, now) if -KNOWN_DAYS_BACK <= ahead <= KNOWN_DAYS_AHEAD else None


def late_every_day(flight: Flight, day: Day) -> bool:
    """Return whether the flight is late on every day, so that the delay is known at booking."""
    template = flight.dates.get(EVERY_DAY)
    return day not in flight.dates and template is not None and template.status == "delayed"


def daily_flight(flight: Flight, template: FlightDay, day: Day, now: dt.datetime) -> FlightDay:
    """Return the state of a daily flight on this day: on sale until the day comes, then according to the clock.

    If the template is `cancelled`, or `delayed` with estimated times of day, that applies to every day.
    """
    if template.status == "cancelled":
        return FlightDay(status="cancelled")
    if dt.date.fromisoformat(day) > today(now):
        return FlightDay(status="available", available_seats=template.available_seats, prices=template.prices)
    departure = at(day, template.estimated_departure_time_est or flight.scheduled_departure_time_est)
    arrival = at(day, template.estimated_arrival_time_est or flight.scheduled_arrival_time_est)
    leaves, lands = format_local_time(departure), format_local_time(arrival)
    if now < departure:
        waiting = "delayed" if template.status == "delayed" else "on time"
        return FlightDay(status=waiting, estimated_departure_time_est=leaves, estimated_arrival_time_est=lands)
    if now < arrival:
        return FlightDay(status="flying", actual_departure_time_est=leaves, estimated_arrival_time_est=lands)
    return FlightDay(status="landed", actual_departure_time_est=leaves, actual_arrival_time_est=lands)
