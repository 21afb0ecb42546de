"""The contract of reservations: read, book, cancel, change. Agents and other tools import only this module."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from services.tools.airline.data.models import Cabin, Day, FlightType, Passenger, Reservation, YesNo
from services.tools.airline.flights.contract import FlightNumber
from services.tools.airline.rules import CURRENCY
from switchboard import FromIdentity, NoInput, Tool, ToolInput
from switchboard.contract import PersonalInput, Text
from switchboard.messages import WireModel
from switchboard.money import Money, format_amount

RESERVATION_DESK = "ReservationDesk"
RESERVATIONS = "Reservations"

# Upper bounds on request sizes. The airline's rules are stricter; the policy enforces those.
PASSENGERS_MAX = 20
SEGMENTS_MAX = 12
PAYMENTS_MAX = 12
BAGS_MAX = 100

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
TravelDay = Annotated[Day, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
PaymentId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(examples=["gift_card_1207"]),
]
PersonName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
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


def format_flights(flights: tuple[FlightChoice, ...]) -> str:
    return ", ".join(f"{flight.flight_number} on {flight.date}" for flight in flights)


def format_passengers(passengers: tuple[PassengerDetails, ...]) -> str:
    return ", ".join(f"{person.first_name} {person.last_name} (born {person.dob})" for person in passengers)


def format_bags(total: int, paid: int) -> str:
    return f"{total} checked bag{'' if total == 1 else 's'} ({paid} paid)"


def booking_question(request: BookReservation) -> str:
    """Return the question that asks the customer to confirm exactly this booking and its payments."""
    total = sum((part.amount for part in request.payment_methods), Decimal())
    parts = ", ".join(
        f"{format_amount(part.amount, CURRENCY)} from {part.payment_id}" for part in request.payment_methods
    )
    return (
        f"Book {request.origin} to {request.destination} ({request.flight_type.replace('_', ' ')}):"
        f" {format_flights(request.flights)}, in {request.cabin.replace('_', ' ')} for"
        f" {format_passengers(request.passengers)}, {format_bags(request.total_baggages, request.nonfree_baggages)},"
        f" {'with' if request.insurance == 'yes' else 'without'} travel insurance, and pay"
        f" {format_amount(total, CURRENCY)} in total: {parts}?"
    )


def cancellation_question(request: CancelReservation) -> str:
    return (
        f"Cancel reservation {request.reservation_id} with all its flights? This cannot be undone. Your payments are"
        " refunded to the original payment methods."
    )


def flights_question(request: UpdateReservationFlights) -> str:
    return (
        f"Change reservation {request.reservation_id} to {format_flights(request.flights)} in"
        f" {request.cabin.replace('_', ' ')}? The difference in price is charged or refunded to {request.payment_id}."
    )


def passengers_question(request: UpdateReservationPassengers) -> str:
    return f"Change the passengers of reservation {request.reservation_id} to {format_passengers(request.passengers)}?"


def baggages_question(request: UpdateReservationBaggages) -> str:
    bags = format_bags(request.total_baggages, request.nonfree_baggages)
    return (
        f"Change reservation {request.reservation_id} to {bags}, and pay for the added bags with {request.payment_id}?"
    )


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
    label="book the flights",
)
CANCEL_RESERVATION = Tool(
    service=RESERVATION_DESK,
    handler="cancel_reservation",
    purpose="Cancel a whole reservation and refund its payments.",
    input=CancelReservation,
    output=Reservation,
    consent=cancellation_question,
    label="cancel the reservation",
)
UPDATE_RESERVATION_FLIGHTS = Tool(
    service=RESERVATION_DESK,
    handler="update_reservation_flights",
    purpose="Change the flights or the cabin of a reservation. The difference in price is paid or refunded.",
    input=UpdateReservationFlights,
    output=Reservation,
    consent=flights_question,
    label="change the flights",
)
UPDATE_RESERVATION_PASSENGERS = Tool(
    service=RESERVATION_DESK,
    handler="update_reservation_passengers",
    purpose="Correct or replace the passengers of a reservation.",
    input=UpdateReservationPassengers,
    output=Reservation,
    consent=passengers_question,
    label="change the passengers",
)
UPDATE_RESERVATION_BAGGAGES = Tool(
    service=RESERVATION_DESK,
    handler="update_reservation_baggages",
    purpose="Add checked bags to a reservation.",
    input=UpdateReservationBaggages,
    output=Reservation,
    consent=baggages_question,
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
