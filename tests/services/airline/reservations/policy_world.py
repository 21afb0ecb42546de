"""A small airline for policy tests: requests, reservations, flights.

The airline flies AAA-BBB-CCC and back. The current time is noon on 10 May in the airline's time zone.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

from services.tools.airline.data.models import FlightDay, PaymentMethod, Reservation, User
from services.tools.airline.data.schedule import AIRLINE_ZONE, at
from services.tools.airline.reservations.contract import (
    BookReservation,
    CancelReservation,
    SendCertificate,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.itinerary import Flights, FlightState
from services.tools.airline.reservations.policy.baggage import may_add_bags
from services.tools.airline.reservations.policy.booking import may_book
from services.tools.airline.reservations.policy.cancellation import may_cancel
from services.tools.airline.reservations.policy.changes import may_change_flights, may_change_passengers
from services.tools.airline.reservations.policy.compensation import Claim, may_compensate
from switchboard.toolkit.refusal import Refusal

NOW = dt.datetime(2030, 5, 10, 12, tzinfo=AIRLINE_ZONE)
PAST, TODAY, DAY, LATER = "2030-05-09", "2030-05-10", "2030-05-20", "2030-05-25"
LONG_AGO, THIS_MORNING = "2030-05-01T09:00:00", "2030-05-09T12:00:00"

ROUTES = {
    "XX001": ("AAA", "BBB", "06:00:00", "08:00:00"),
    "XX002": ("BBB", "CCC", "09:00:00", "11:00:00"),
    "XX003": ("CCC", "AAA", "12:00:00", "15:00:00"),
    "XX004": ("AAA", "CCC", "22:00:00", "01:00:00+1"),
    "XX005": ("BBB", "CCC", "07:30:00", "09:30:00"),
    "XX007": ("BBB", "CCC", "08:00:00", "10:00:00"),
    "XX006": ("BBB", "DDD", "09:00:00", "11:00:00"),
}
FARES = {"basic_economy": 50, "economy": 100, "business": 300}
SEATS = {"basic_economy": 9, "economy": 3, "business": 9}
ONE_STOP = ("XX001", "XX002")

ANN = {"first_name": "Ann", "last_name": "Lee", "dob": "1990-01-01"}


def state(number: str, date: str, status: str = "available", late_every_day: bool = False) -> FlightState:
    origin, destination, departs, arrives = ROUTES[number]
    offer = {"available_seats": SEATS, "prices": FARES} if status == "available" else {}
    day = FlightDay.model_validate({"status": status, **offer})
    return FlightState(number, origin, destination, date, at(date, departs), at(date, arrives), day, late_every_day)


def flights(**statuses: str) -> Flights:
    """Return every flight on every day. All are available, except that `XX001=...` sets a flight's status on DAY."""
    known = [state(number, date) for number in ROUTES for date in (PAST, TODAY, DAY, LATER)]
    special = [state(number, DAY, status.replace("_", " ")) for number, status in statuses.items()]
    return {(one.flight_number, one.date): one for one in (*known, *special)}


def user(membership: str = "regular", certificate: int = 500) -> User:
    amounts = {"gift_1": 100, "gift_2": 1000, "gift_3": 1000, "gift_4": 1000, "cert_1": certificate, "cert_2": 500}
    kinds = {"gift": "gift_card", "cert": "certificate"}
    methods = {
        name: PaymentMethod.model_validate({"source": kinds[name[:4]], "id": name, "amount": amount})
        for name, amount in amounts.items()
    }
    cards = {name: PaymentMethod(source="credit_card", id=name) for name in ("card_1", "card_2")}
    return User.model_validate(
        {
            "user_id": "ann",
            "name": {"first_name": "Ann", "last_name": "Lee"},
            "address": dict.fromkeys(("address1", "address2", "city", "country", "state", "zip"), "x"),
            "email": "ann@example.com",
            "dob": "1990-01-01",
            "payment_methods": {**methods, **cards},
            "saved_passengers": (),
            "membership": membership,
            "reservations": ("AB1234",),
        }
    )


def reservation(*numbers: str, date: str = DAY, passengers: int = 1, **more: Any) -> Reservation:
    """Return a reservation that was booked long ago. Defaults: economy, one way, uninsured, one free bag."""
    numbers = numbers or ONE_STOP
    return Reservation.model_validate(
        {
            "reservation_id": "AB1234",
            "user_id": "ann",
            "origin": "AAA",
            "destination": "CCC",
            "flight_type": "one_way",
            "cabin": "economy",
            "flights": [
                {
                    "flight_number": one,
                    "origin": ROUTES[one][0],
                    "destination": ROUTES[one][1],
                    "date": date,
                    "price": 90,
                }
                for one in numbers
            ],
            "passengers": [ANN] * passengers,
            "payment_history": [{"payment_id": "card_1", "amount": 180}],
            "created_at": LONG_AGO,
            "total_baggages": 1,
            "nonfree_baggages": 0,
            "insurance": "no",
            **more,
        }
    )


def choices(*flown: str, date: str = DAY) -> list[dict[str, str]]:
    """Parse `XX001`, or `XX001@2030-05-25` for another day."""
    named = [one.partition("@") for one in flown]
    return [{"flight_number": number, "date": day or date} for number, _, day in named]


def book(
    *numbers: str, pay: dict[str, int] | None = None, passengers: int = 1, who: User | None = None, **more: Any
) -> Refusal | None:
    """Check a booking. By default it is paid in full with a credit card."""
    among: Flights = more.pop("among", None) or flights()
    asked = {
        "user_id": "ann",
        "origin": "AAA",
        "destination": "CCC",
        "flight_type": "one_way",
        "cabin": "economy",
        "flights": choices(*(numbers or ONE_STOP)),
        "passengers": [ANN] * passengers,
        "payment_methods": [{"payment_id": one, "amount": amount} for one, amount in (pay or {"card_1": 200}).items()],
        "total_baggages": 0,
        "nonfree_baggages": 0,
        "insurance": "no",
        **more,
    }
    return may_book(BookReservation.model_validate(asked), who or user(), among, NOW)


def cancel(held: Reservation, reason: str | None = None, among: Flights | None = None) -> Refusal | None:
    asked = CancelReservation.model_validate({"user_id": "ann", "reservation_id": "AB1234", "reason": reason})
    return may_cancel(asked, held, among or flights(), NOW)


def change(
    held: Reservation, *numbers: str, cabin: str = "economy", pay: str = "card_1", among: Flights | None = None
) -> Refusal | None:
    asked = UpdateReservationFlights.model_validate(
        {
            "user_id": "ann",
            "reservation_id": "AB1234",
            "cabin": cabin,
            "flights": choices(*(numbers or ONE_STOP)),
            "payment_id": pay,
        }
    )
    return may_change_flights(asked, user(), held, among or flights(), NOW)


def replace(held: Reservation, passengers: int = 1, among: Flights | None = None) -> Refusal | None:
    asked = {"user_id": "ann", "reservation_id": "AB1234", "passengers": [{**ANN, "first_name": "Bo"}] * passengers}
    return may_change_passengers(UpdateReservationPassengers.model_validate(asked), held, among or flights(), NOW)


def bags(
    held: Reservation,
    total: int,
    paid: int,
    pay: str = "card_1",
    membership: str = "regular",
    among: Flights | None = None,
) -> Refusal | None:
    asked = UpdateReservationBaggages(
        user_id="ann", reservation_id="AB1234", total_baggages=total, nonfree_baggages=paid, payment_id=pay
    )
    return may_add_bags(asked, user(membership), held, among or flights(), NOW)


def certificate(
    amount: int, *claims: Claim, among: Flights | None = None, membership: str = "silver", **named: Any
) -> Refusal | None:
    asked = SendCertificate(user_id="ann", amount=Decimal(amount), **named)
    return may_compensate(asked, user(membership), claims, among or flights())


CANCELLED_FLIGHT = flights(XX002="cancelled")
DELAYED_FLIGHT = flights(XX002="delayed")
LATE_EVERY_DAY = {**flights(), ("XX002", DAY): state("XX002", DAY, "delayed", late_every_day=True)}
FIRST_FLOWN = flights(XX001="flying")
ALL_FLOWN = flights(XX001="landed", XX002="landed")
