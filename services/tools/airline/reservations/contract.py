"""The contract of reservations: read, book, cancel, change. Agents and other tools import only this module."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from services.tools.airline.data.models import Cabin, Day, FlightType, Passenger, Reservation, YesNo
from services.tools.airline.flights.contract import FlightNumber
from services.tools.airline.reservations.facts import (
    BagsFacts,
    BookingFacts,
    CancellationFacts,
    FlightsFacts,
    PassengersFacts,
    format_cards,
    format_flights,
    format_lost,
    format_method,
    format_names,
    format_people,
    format_price,
    format_refunds,
    format_trip,
    readable,
)
from services.tools.airline.rules import CURRENCY
from switchboard import FromIdentity, NoInput, Tool, ToolInput
from switchboard.contract import PersonalInput, Text
from switchboard.messages import WireModel
from switchboard.money import Money, format_amount
from switchboard.text import PlainText

RESERVATION_DESK = "ReservationDesk"
RESERVATIONS = "Reservations"

# Upper bounds on request sizes. The airline's rules are stricter; the policy enforces those.
PASSENGERS_MAX = 20
SEGMENTS_MAX = 12
PAYMENTS_MAX = 12
BAGS_MAX = 100
PERSON_NAME_MAX_CHARS = 60


def existing_day(day: Day) -> Day:
    """Reject a day that is in no calendar, such as 30 February."""
    dt.date.fromisoformat(day)
    return day


ReservationId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9]{6}$"),
]
UserId = Annotated[str, FromIdentity("customer_id")]
Airport = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$"),
    Field(description="Airport code"),
]
TravelDay = Annotated[Day, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(existing_day)]
PaymentId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Field(examples=["gift_card_1207"]),
]
PersonName = Annotated[str, PlainText(PERSON_NAME_MAX_CHARS, names=True)]
BagCount = Annotated[int, Field(ge=0, le=BAGS_MAX)]
CancellationReason = Literal["change_of_plan", "airline_cancelled_flight", "health", "weather", "other"]


class FlightChoice(ToolInput):
    # Models often copy the other fields of the search result too. Number and date are enough.
    model_config = ConfigDict(frozen=True, extra="ignore")

    flight_number: FlightNumber
    date: TravelDay


class PassengerDetails(ToolInput):
    first_name: PersonName
    last_name: PersonName
    dob: TravelDay = Field(description="Date of birth")

    def record(self) -> Passenger:
        return Passenger(first_name=self.first_name, last_name=self.last_name, dob=self.dob)


class PaymentPart(ToolInput):
    payment_id: PaymentId
    amount: Money = Field(ge=0)


Flights = Annotated[
    tuple[FlightChoice, ...],
    Field(
        min_length=1,
        max_length=SEGMENTS_MAX,
        description="All in order, changed or not",
    ),
]
Passengers = Annotated[tuple[PassengerDetails, ...], Field(min_length=1, max_length=PASSENGERS_MAX)]


class GetReservationDetails(PersonalInput):
    user_id: UserId
    reservation_id: ReservationId


class BookReservation(PersonalInput):
    user_id: UserId
    origin: Airport
    destination: Airport
    flight_type: FlightType
    cabin: Cabin
    flights: Flights
    passengers: Passengers
    payment_methods: tuple[PaymentPart, ...] = Field(min_length=1, max_length=PAYMENTS_MAX)
    total_baggages: BagCount = Field(description="Checked bags of all passengers")
    nonfree_baggages: BagCount = Field(description="How many of them are not free")
    insurance: YesNo


class CancelReservation(PersonalInput):
    user_id: UserId
    reservation_id: ReservationId
    reason: CancellationReason | None = None


class UpdateReservationFlights(PersonalInput):
    user_id: UserId
    reservation_id: ReservationId
    cabin: Cabin
    flights: Flights
    payment_id: PaymentId


class UpdateReservationPassengers(PersonalInput):
    user_id: UserId
    reservation_id: ReservationId
    passengers: Passengers


class UpdateReservationBaggages(PersonalInput):
    user_id: UserId
    reservation_id: ReservationId
    total_baggages: BagCount = Field(description="Checked bags of all passengers, with those booked before")
    nonfree_baggages: BagCount = Field(description="How many of them are not free")
    payment_id: PaymentId


class SendCertificate(PersonalInput):
    user_id: UserId
    amount: Money = Field(gt=0)
    reservation_id: ReservationId | None = Field(None, description="With the disrupted flight")
    reason: Literal["cancelled_flight", "delayed_flight"] | None = None


def booking_question(request: BookReservation, facts: BookingFacts) -> str:
    payments = ", ".join(
        f"{format_amount(part.amount, CURRENCY)} with {format_method(part.payment_id)}"
        for part in request.payment_methods
    )
    return (
        f"Book {request.origin} to {request.destination}, {readable(request.flight_type)}, in"
        f" {readable(request.cabin)}? Flights: {format_flights(chosen(request.flights), facts.route)}."
        f" Checked bags: {format_bags(request)}. Travel insurance: {request.insurance}."
        f" You pay {format_amount(facts.price, CURRENCY)}: {payments}.{format_cards(facts.cards)}"
        f"{format_lost(facts.lost)} Passengers: {format_people(records_of(request.passengers))}."
    )


def cancellation_question(request: CancelReservation, facts: CancellationFacts) -> str:
    reason = f" Reason: {readable(request.reason)}." if request.reason else ""
    return (
        f"Cancel {format_trip(request.reservation_id, facts.trip)}? All its flights are cancelled, and this cannot be"
        f" undone.{reason} {format_refunds(facts.refunds)} Passengers: {format_names(facts.passengers)}."
    )


def flights_question(request: UpdateReservationFlights, facts: FlightsFacts) -> str:
    before = tuple((flight.flight_number, flight.date) for flight in facts.trip.flights)
    flights = "Flights, as before" if chosen(request.flights) == before else "Flights from now on"
    cabin = "as before" if request.cabin == facts.trip.cabin else f"until now {readable(facts.trip.cabin)}"
    return (
        f"Change {format_trip(request.reservation_id, facts.trip)}?"
        f" {flights}: {format_flights(chosen(request.flights), facts.route)}."
        f" Cabin: {readable(request.cabin)}, {cabin}."
        f" {format_price(facts.price, request.payment_id, facts.card)}"
        f" Passengers: {format_names(facts.passengers)}."
    )


def passengers_question(request: UpdateReservationPassengers, facts: PassengersFacts) -> str:
    return (
        f"Change the passengers of {format_trip(request.reservation_id, facts.trip)}?"
        f" Until now: {format_people(facts.passengers)}."
        f" From now on: {format_people(records_of(request.passengers))}."
    )


def baggages_question(request: UpdateReservationBaggages, facts: BagsFacts) -> str:
    return (
        f"Change the checked bags of {format_trip(request.reservation_id, facts.trip)}?"
        f" Until now: {format_bags(facts)}. From now on: {format_bags(request)}."
        f" {format_price(facts.price, request.payment_id, facts.card)}"
        f" Passengers: {format_names(facts.passengers)}."
    )


def chosen(flights: tuple[FlightChoice, ...]) -> tuple[tuple[str, Day], ...]:
    return tuple((flight.flight_number, flight.date) for flight in flights)


def records_of(passengers: tuple[PassengerDetails, ...]) -> tuple[Passenger, ...]:
    return tuple(person.record() for person in passengers)


def format_bags(of: BookReservation | UpdateReservationBaggages | BagsFacts) -> str:
    return f"{of.total_baggages}, {of.nonfree_baggages} of them paid"


GET_RESERVATION_DETAILS = Tool(
    service=RESERVATION_DESK,
    handler="get_reservation_details",
    purpose="Get a reservation (booking) by its id: flights, passengers, cabin, bags, payments.",
    input=GetReservationDetails,
    output=Reservation,
    read_only=True,
)
BOOK_RESERVATION = Tool(
    service=RESERVATION_DESK,
    handler="book_reservation",
    purpose="Book flights and pay for them with the customer's own payment methods.",
    input=BookReservation,
    output=Reservation,
    consent=booking_question,
    check=BookingFacts,
    label="book the flights",
)
CANCEL_RESERVATION = Tool(
    service=RESERVATION_DESK,
    handler="cancel_reservation",
    purpose="Cancel a whole reservation and refund its payments.",
    input=CancelReservation,
    output=Reservation,
    consent=cancellation_question,
    check=CancellationFacts,
    label="cancel the reservation",
)
UPDATE_RESERVATION_FLIGHTS = Tool(
    service=RESERVATION_DESK,
    handler="update_reservation_flights",
    purpose="Change the flights or the cabin of a reservation. The difference in price is paid or refunded.",
    input=UpdateReservationFlights,
    output=Reservation,
    consent=flights_question,
    check=FlightsFacts,
    label="change the flights",
)
UPDATE_RESERVATION_PASSENGERS = Tool(
    service=RESERVATION_DESK,
    handler="update_reservation_passengers",
    purpose="Correct or replace the passengers of a reservation.",
    input=UpdateReservationPassengers,
    output=Reservation,
    consent=passengers_question,
    check=PassengersFacts,
    label="change the passengers",
)
UPDATE_RESERVATION_BAGGAGES = Tool(
    service=RESERVATION_DESK,
    handler="update_reservation_baggages",
    purpose="Add checked bags to a reservation.",
    input=UpdateReservationBaggages,
    output=Reservation,
    consent=baggages_question,
    check=BagsFacts,
    label="add the bags",
)
SEND_CERTIFICATE = Tool(
    service=RESERVATION_DESK,
    handler="send_certificate",
    purpose="Give the customer a travel certificate as compensation, if the policy allows it.",
    input=SendCertificate,
    output=Text,
    label="send the travel certificate",
)

# Internal tools of the object `Reservations`, for other tools only. No agent lists them.


class Record(WireModel):
    """The reservation with this id, or None. The owner is not checked."""

    reservation: Reservation | None


READ_RECORD = Tool(
    service=RESERVATIONS,
    handler="read_record",
    purpose="Get a reservation without checking its owner.",
    input=NoInput,
    output=Record,
    internal=True,
    read_only=True,
)
