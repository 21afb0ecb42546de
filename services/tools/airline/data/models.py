"""The airline's records in the format of the data sets: customers, reservations, flights. Values only.

The format is that of the airline data of tau-bench and tau2-bench (Sierra Research, MIT), so that their data can be
loaded. Dates and times without a time zone are in the airline's own: EST, five hours behind UTC, all year.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, SerializerFunctionWrapHandler, model_serializer

from switchboard.messages import WireModel
from switchboard.words import OthersWords, OurWords


def as_number(amount: Decimal) -> int | float:
    """Return the amount as a JSON number, without decimals if it is whole."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


# The benchmark's amounts are JSON numbers. In Python they are decimals, so that cents are exact.
Amount = Annotated[Decimal, PlainSerializer(as_number, return_type=int | float, when_used="json")]

Cabin = Literal["basic_economy", "economy", "business"]
FlightType = Literal["one_way", "round_trip"]
Membership = Literal["regular", "silver", "gold"]
YesNo = Literal["yes", "no"]
PaymentMethodKind = Literal["credit_card", "gift_card", "certificate"]

Day = OurWords
"""Date of departure such as `2024-05-20`, in the airline's time zone."""


def is_day(day: Day) -> bool:
    try:
        dt.date.fromisoformat(day)
    except ValueError:
        return False
    return True


class WithoutNulls(WireModel):
    """A model whose JSON leaves out nulls, as the data sets do."""

    @model_serializer(mode="wrap")
    def leave_out_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class Name(WireModel):
    first_name: OthersWords
    last_name: OthersWords


class Address(WireModel):
    address1: OthersWords
    address2: OthersWords
    city: OthersWords
    country: OthersWords
    state: OthersWords
    zip: OthersWords


class Passenger(WireModel):
    first_name: OthersWords
    last_name: OthersWords
    dob: OurWords = Field(description="Date of birth, YYYY-MM-DD")


class PaymentMethod(WithoutNulls):
    """A payment method. A credit card has brand and last_four; a gift card or certificate has an amount."""

    source: PaymentMethodKind
    id: OurWords
    amount: Amount | None = None
    brand: OurWords | None = None
    last_four: OurWords | None = None


class User(WireModel):
    """A customer's profile."""

    user_id: OurWords
    name: Name
    address: Address
    email: OthersWords
    dob: OurWords
    payment_methods: dict[str, PaymentMethod]
    saved_passengers: tuple[Passenger, ...]
    membership: Membership
    reservations: tuple[OurWords, ...]


class ReservedFlight(WireModel):
    """One flight of a reservation. `price` is the price per passenger at the time of booking."""

    flight_number: OurWords
    origin: OurWords
    destination: OurWords
    date: Day
    price: Amount


class Payment(WireModel):
    """A payment with one payment method; negative for a refund."""

    payment_id: OurWords
    amount: Amount


class Reservation(WireModel):
    """A reservation. `status` is null until it is cancelled."""

    reservation_id: OurWords
    user_id: OurWords
    origin: OurWords
    destination: OurWords
    flight_type: FlightType
    cabin: Cabin
    flights: tuple[ReservedFlight, ...]
    passengers: tuple[Passenger, ...]
    payment_history: tuple[Payment, ...]
    created_at: OurWords
    total_baggages: int
    nonfree_baggages: int
    insurance: YesNo
    status: Literal["cancelled"] | None = None


class FlightDay(WithoutNulls):
    """A flight on one day. Has seats and prices only while it is `available`, and actual times once it has departed."""

    status: Literal["available", "delayed", "on time", "flying", "landed", "cancelled"]
    available_seats: dict[Cabin, int] | None = None
    prices: dict[Cabin, Amount] | None = None
    estimated_departure_time_est: str | None = None
    estimated_arrival_time_est: str | None = None
    actual_departure_time_est: str | None = None
    actual_arrival_time_est: str | None = None


class Flight(WireModel):
    """A flight and its days. Scheduled times are HH:MM:SS, with `+1` if it lands on the next day."""

    flight_number: str
    origin: str
    destination: str
    scheduled_departure_time_est: str
    scheduled_arrival_time_est: str
    dates: Mapping[Day, FlightDay]
