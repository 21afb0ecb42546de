"""What the reservations promise: a customer's bookings and their seats. Agents and other tools import nothing else."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.tools.flights.contract import Cabin, FlightNumber, SeatNumber
from switchboard import FromIdentity, NoInput, Tool, ToolInput
from switchboard.messages import Wire
from switchboard.money import Currency, Money

RESERVATIONS = "Reservations"
SEAT_CHANGES = "SeatChanges"

ConfirmationNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2}[0-9]{4}$"),
    Field(description="Confirmation number of the booking: two letters and four digits", examples=["AB4568"]),
]
BookingStatus = Literal["confirmed", "cancelled", "flown"]


class BookingRequest(ToolInput):
    """Which of the customer's bookings."""

    confirmation_number: ConfirmationNumber


class BookedFlight(Wire):
    """One flight of a booking, as scheduled. Times are UTC."""

    flight_number: str
    date: dt.date = Field(description="Day of departure")
    origin: str
    destination: str
    departure: dt.datetime
    arrival: dt.datetime
    seat: str = Field(description="The first passenger's")
    seats: tuple[str, ...] = Field(description="In the order of the passengers")


class Reservation(Wire):
    """One booking of the customer."""

    summary: str = Field(description="The booking in one sentence")
    confirmation_number: str
    status: BookingStatus
    passenger: str = Field(description="The first one")
    passengers: tuple[str, ...]
    cabin: Cabin
    flights: tuple[BookedFlight, ...] = Field(description="In the order of departure")
    total: Money = Field(description="Price with taxes")
    currency: str


class ReservationList(Wire):
    """All bookings of the customer: the next to depart first, then those flown or cancelled."""

    summary: str = Field(description="The bookings in a few sentences")
    reservations: tuple[Reservation, ...]


class SeatMapRequest(ToolInput):
    customer_id: Annotated[str, FromIdentity("customer_id")]
    confirmation_number: ConfirmationNumber
    flight_number: FlightNumber | None = Field(
        None, description="Which flight of the booking; leave out when only one is still to depart"
    )
    passenger: str | None = Field(
        None, max_length=100, description="Whose seat, by name; leave out when the booking has one passenger"
    )


class SeatChoice(Wire):
    """The seats that the booking could have on one of its flights, in the cabin that it paid for."""

    summary: str = Field(description="The choice in a few sentences")
    confirmation_number: str
    flight_number: str
    date: dt.date = Field(description="Day of departure")
    cabin: Cabin
    seat: str = Field(description="The passenger's own seat now")
    free_window: tuple[str, ...]
    free_middle: tuple[str, ...]
    free_aisle: tuple[str, ...]


class SeatChangeRequest(SeatMapRequest):
    seat: SeatNumber


class SeatChanged(Wire):
    """The booking has this seat now."""

    summary: str = Field(description="What changed, in one sentence")
    confirmation_number: str
    flight_number: str
    date: dt.date = Field(description="Day of departure")
    seat: str
    former_seat: str


LIST_RESERVATIONS = Tool(
    service=RESERVATIONS,
    handler="list_reservations",
    purpose="All bookings of the customer: confirmation numbers, flights, dates, seats, prices.",
    input=NoInput,
    output=ReservationList,
    keyed_by="customer_id",
)
GET_RESERVATION = Tool(
    service=RESERVATIONS,
    handler="get_reservation",
    purpose="One booking of the customer by its confirmation number: flights, dates, seats, cabin, price.",
    input=BookingRequest,
    output=Reservation,
    keyed_by="customer_id",
)
GET_SEAT_MAP = Tool(
    service=SEAT_CHANGES,
    handler="get_seat_map",
    purpose="The free seats on a flight of the customer's booking, by window, middle and aisle, and the seat it has.",
    input=SeatMapRequest,
    output=SeatChoice,
)
CHANGE_SEAT = Tool(
    service=SEAT_CHANGES,
    handler="change_seat",
    purpose="Change the seat of the customer's booking on a flight that has not departed. Free of charge, at once.",
    input=SeatChangeRequest,
    output=SeatChanged,
)

# From here on: what other tools ask the object `Reservations` for. No agent lists these.


class Charge(Wire):
    """One position of a booking's price, in the booking's currency: `net`, and the tax on it, rounded to cents."""

    description: str
    net: Money
    tax_percent: int
    tax: Money


class Bill(Wire):
    """What an invoice for a booking needs: to whom, for what, how much."""

    confirmation_number: str
    name: str
    email: str
    currency: str
    charges: tuple[Charge, ...]


class RecordSeat(ToolInput):
    """A seat that was claimed on a flight, to be recorded in the booking. `claim_id` names the claim."""

    confirmation_number: str
    flight_number: str
    passenger: int = 1
    seat: str
    claim_id: str


class SeatRecorded(Wire):
    seat: str
    former: str = Field(description="The seat that was recorded before")


class UnrecordSeat(ToolInput):
    """Which claim's seat to take out of the booking again."""

    confirmation_number: str
    flight_number: str
    passenger: int = 1
    claim_id: str


class SeatUnrecorded(Wire):
    seat: str | None = Field(description="The seat that is recorded now; none when it never changed")


GET_BILL = Tool(
    service=RESERVATIONS,
    handler="get_bill",
    purpose="What an invoice for a booking needs.",
    input=BookingRequest,
    output=Bill,
    keyed_by="customer_id",
)
RECORD_SEAT = Tool(
    service=RESERVATIONS,
    handler="record_seat",
    purpose="Record in a booking the seat that was claimed for it.",
    input=RecordSeat,
    output=SeatRecorded,
    keyed_by="customer_id",
)
UNRECORD_SEAT = Tool(
    service=RESERVATIONS,
    handler="unrecord_seat",
    purpose="Put back the seat that was recorded before a claim.",
    input=UnrecordSeat,
    output=SeatUnrecorded,
    keyed_by="customer_id",
)


class NetCharge(Wire):
    """One position of a new booking's price, to which its tax is added."""

    description: str
    net: Money
    tax_percent: int


class Payment(Wire):
    """What a booking was paid with; `charge_id` is the charge's idempotency key wherever money is kept."""

    means_id: str
    kind: Literal["gift_card", "certificate", "credit_card"]
    label: str
    amount: Money
    charge_id: str


class NewBooking(ToolInput):
    """A booking whose seats are claimed and that is paid. `booking_id` names it for the one who has to undo it."""

    booking_id: str
    confirmation_number: ConfirmationNumber
    flight_number: FlightNumber
    date: dt.date
    cabin: Cabin
    currency: Currency
    passengers: tuple[str, ...] = Field(min_length=1)
    seats: tuple[str, ...] = Field(min_length=1)
    charges: tuple[NetCharge, ...]
    payments: tuple[Payment, ...]


class UndoBooking(ToolInput):
    booking_id: str


class BookingCount(Wire):
    """How many bookings the customer has made here."""

    bookings_total: int


class PaidBooking(Wire):
    """A booking with what it was paid with; no payments when it was made elsewhere."""

    reservation: Reservation
    name: str = Field(description="Of the customer")
    email: str
    payments: tuple[Payment, ...]


class CancelRecord(ToolInput):
    """A booking to be marked as cancelled, for a fee. `cancellation_id` names it for the one who has to undo it."""

    confirmation_number: ConfirmationNumber
    cancellation_id: str
    fee: Money = Field(ge=0)


class UndoCancellation(ToolInput):
    confirmation_number: ConfirmationNumber
    cancellation_id: str


RECORD_BOOKING = Tool(
    service=RESERVATIONS,
    handler="record_booking",
    purpose="Record a new booking.",
    input=NewBooking,
    output=BookingCount,
    keyed_by="customer_id",
)
UNRECORD_BOOKING = Tool(
    service=RESERVATIONS,
    handler="unrecord_booking",
    purpose="Take a new booking out again.",
    input=UndoBooking,
    output=BookingCount,
    keyed_by="customer_id",
)
GET_PAID_BOOKING = Tool(
    service=RESERVATIONS,
    handler="get_paid_booking",
    purpose="A booking with what it was paid with.",
    input=BookingRequest,
    output=PaidBooking,
    keyed_by="customer_id",
)
MARK_CANCELLED = Tool(
    service=RESERVATIONS,
    handler="mark_cancelled",
    purpose="Mark a booking as cancelled.",
    input=CancelRecord,
    output=Reservation,
    keyed_by="customer_id",
)
UNMARK_CANCELLED = Tool(
    service=RESERVATIONS,
    handler="unmark_cancelled",
    purpose="Take back a cancellation.",
    input=UndoCancellation,
    output=BookingCount,
    keyed_by="customer_id",
)
