"""Many customers: numbered copies of the demo's, such as `carol-17`. So each trial of a test has its own customer."""

import dataclasses
import datetime as dt
from datetime import date, datetime

from services.tools.airline.data.dataset import AirlineData, with_absolute_dates
from services.tools.airline.data.models import Reservation, User
from services.tools.bank.data.demo import DemoBank
from services.tools.bank.lookups import LookupContext
from services.tools.bank.records import Borrowing, Customer, History, Person
from tests.midnight import TODAY

SIZES = {"erin": 5_400, "dave": 700}
"""Copies of each airline customer. Dave's copies share one flight, whose record lists them all."""

FLIGHT_DAYS = 300
"""Erin's copies fly on so many different days, because they would compete for seats. Flights are on sale for a year."""

SPARE_SEATS = tuple(f"{row}{letter}" for row in (24, 25, 26, 27) for letter in "ABCDEF")
"""Seats of Erin's flight that are free on every day. At the back of the cabin, where no booking gets its seats."""

RESERVATIONS = {"erin": ("JK9001", "K"), "dave": ("GH5120", "G")}
"""By airline customer: the reservation that is copied, and the first letter of the copies' ids."""


def original_of(customer_id: str) -> str:
    return customer_id.partition("-")[0]


def reservation_id(owner: str, number: int) -> str:
    """Return the id of the reservation that the customer `{owner}-{number}` has."""
    return f"{RESERVATIONS[owner][1]}{number:05}"


class CrowdBank(DemoBank):
    """Knows copies of the demo's customers under every number."""

    async def customer(self, ctx: LookupContext, customer_id: str) -> Customer | None:
        found = self.customers.get(original_of(customer_id))
        return found and found.model_copy(update={"customer_id": customer_id})

    async def person(self, ctx: LookupContext, customer_id: str) -> Person | None:
        found = self.people.get(original_of(customer_id))
        return found and found.model_copy(update={"customer_id": customer_id})

    async def borrowing(self, ctx: LookupContext, customer: Customer, first_seen_on: date) -> Borrowing:
        return self.borrowing_of(original_of(customer.customer_id), first_seen_on)

    async def history(self, ctx: LookupContext, customer: Customer, first_seen_at: datetime, now: datetime) -> History:
        return self.history_of(original_of(customer.customer_id), first_seen_at, now)


def crowd_airline(data: AirlineData) -> AirlineData:
    """Return the data with copies of the customers in RESERVATIONS, and with SPARE_SEATS."""
    users: dict[str, User] = dict(data.users)
    reservations: dict[str, Reservation] = dict(data.reservations)
    for owner, (copied, _) in RESERVATIONS.items():
        original = with_absolute_dates(data.reservations[copied], TODAY)
        for number in range(SIZES[owner]):
            user_id, own_id = f"{owner}-{number}", reservation_id(owner, number)
            users[user_id] = data.users[owner].model_copy(update={"user_id": user_id, "reservations": (own_id,)})
            later = dt.timedelta(days=number % FLIGHT_DAYS if owner == "erin" else 0)
            reservations[own_id] = moved(original, later).model_copy(
                update={"reservation_id": own_id, "user_id": user_id}
            )
    (erins_flight,) = data.reservations[RESERVATIONS["erin"][0]].flights
    free_seats = {**data.extras.free_seats, erins_flight.flight_number: SPARE_SEATS}
    extras = data.extras.model_copy(update={"free_seats": free_seats})
    return dataclasses.replace(data, users=users, reservations=reservations, extras=extras)


def moved(reservation: Reservation, later: dt.timedelta) -> Reservation:
    """Return the reservation with its flights on a later day."""
    flights = tuple(
        flight.model_copy(update={"date": (date.fromisoformat(flight.date) + later).isoformat()})
        for flight in reservation.flights
    )
    return reservation.model_copy(update={"flights": flights})
