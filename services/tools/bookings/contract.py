"""What the bookings promise: flights to choose from, a booking paid with several means, and its cancellation."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.tools.flights.contract import Cabin, FlightNumber, SeatNumber
from services.tools.payments.contract import MeansId
from services.tools.reservations.contract import ConfirmationNumber
from switchboard import FromIdentity, Tool, ToolInput
from switchboard.messages import Wire
from switchboard.money import Currency, Money, spell

BOOKINGS = "Bookings"
CONFIRMATION_NUMBERS = "ConfirmationNumbers"

FARES_CURRENCY = "EUR"
PASSENGERS_MAX = 4
PAYMENTS_MAX = 5

ECONOMY_FEE = Decimal("40.00")
"""For each passenger, in the fares' currency. Business is free."""

ECONOMY_CANCELS_UNTIL = dt.timedelta(hours=24)
"""Before departure. Business may cancel until departure."""

# A model does not know today's date: the tool's clock finds the day that is meant.
NamedDay = Literal["today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Place = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=60)]
PassengerName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=60, pattern=r"^[A-Za-zÀ-ž][A-Za-zÀ-ž'. -]*$"),
    Field(description="First and last name as in the passport", examples=["Alice Adler"]),
]


class FlightSearch(ToolInput):
    origin: Place = Field(description="City or airport code", examples=["Berlin", "BER"])
    destination: Place = Field(description="City or airport code", examples=["Lisbon", "LIS"])
    date: dt.date | NamedDay = Field(
        description="Day of departure: YYYY-MM-DD, today, tomorrow, or a weekday, which is the next one after today"
    )


class CabinOffer(Wire):
    """What one cabin of a flight costs, and how many seats are free in it."""

    cabin: Cabin
    price: Money = Field(description="For one passenger, with all taxes and charges")
    free_seats: int


class FlightOffer(Wire):
    """A flight that can be booked. Times are UTC."""

    flight_number: str
    date: dt.date = Field(description="Day of departure")
    origin: str
    destination: str
    departure: dt.datetime
    arrival: dt.datetime
    cabins: tuple[CabinOffer, ...]


class FlightOffers(Wire):
    """The flights of one day from one city to another."""

    summary: str = Field(description="The offers in a few sentences")
    currency: Currency
    flights: tuple[FlightOffer, ...]


class PaymentPart(ToolInput):
    """How much one of the customer's means pays."""

    means_id: MeansId
    amount: Money = Field(gt=0)


class BookFlight(ToolInput):
    customer_id: Annotated[str, FromIdentity("customer_id")]
    flight_number: FlightNumber
    date: dt.date = Field(description="Day of departure, YYYY-MM-DD, as search_flights gives it")
    cabin: Cabin
    passengers: tuple[PassengerName, ...] = Field(min_length=1, max_length=PASSENGERS_MAX)
    seat: SeatNumber | None = Field(
        None, description="For the first passenger, the others sit near; leave out when any seat will do"
    )
    payments: tuple[PaymentPart, ...] = Field(
        min_length=1,
        max_length=PAYMENTS_MAX,
        description="In EUR, in the order in which they are charged. Together exactly the price of all passengers;"
        " a certificate is used whole, and at most one",
    )


class PaidPart(Wire):
    """What one of the customer's means has paid, or has got back."""

    means_id: str
    label: str
    amount: Money


class FlightBooked(Wire):
    """A booking that is made and paid."""

    summary: str = Field(description="The booking in a few sentences")
    confirmation_number: str
    flight_number: str
    date: dt.date = Field(description="Day of departure")
    cabin: Cabin
    passengers: tuple[str, ...]
    seats: tuple[str, ...] = Field(description="In the order of the passengers")
    total: Money
    currency: Currency
    payments: tuple[PaidPart, ...]


class CancelBooking(ToolInput):
    customer_id: Annotated[str, FromIdentity("customer_id")]
    confirmation_number: ConfirmationNumber


class BookingCancelled(Wire):
    """A booking that is cancelled; the refunds are on their way."""

    summary: str = Field(description="What was cancelled and what is refunded, in a few sentences")
    confirmation_number: str
    fee: Money = Field(description="What is kept")
    refunded: Money
    currency: Currency
    refunds: tuple[PaidPart, ...]


def booking_question(request: BookFlight) -> str:
    """The exact booking and its payments, as the customer is asked to confirm them."""
    total = sum((part.amount for part in request.payments), Decimal())
    parts = ", ".join(f"{spell(part.amount, FARES_CURRENCY)} from {part.means_id}" for part in request.payments)
    return (
        f"Book {request.flight_number} on {request.date:%A %-d %B %Y} in {request.cabin}"
        f" for {', '.join(request.passengers)}, {f'seat {request.seat}' if request.seat else 'any seat'},"
        f" and pay {spell(total, FARES_CURRENCY)}: {parts}?"
    )


def cancellation_question(request: CancelBooking) -> str:
    """The exact cancellation and what it costs by the rules."""
    hours = int(ECONOMY_CANCELS_UNTIL.total_seconds() // 3600)
    return (
        f"Cancel booking {request.confirmation_number} for good? Business is refunded in full until departure;"
        f" of economy {spell(ECONOMY_FEE, FARES_CURRENCY)} a passenger are kept, until {hours} hours before departure."
    )


SEARCH_FLIGHTS = Tool(
    service=BOOKINGS,
    handler="search_flights",
    purpose="Flights on sale between two cities on a day, with prices by cabin and free seats.",
    input=FlightSearch,
    output=FlightOffers,
)
BOOK_FLIGHT = Tool(
    service=BOOKINGS,
    handler="book_flight",
    purpose="Book a new ticket for one to four passengers, paid with one or several of the customer's own means.",
    input=BookFlight,
    output=FlightBooked,
    consent=booking_question,
)
CANCEL_BOOKING = Tool(
    service=BOOKINGS,
    handler="cancel_booking",
    purpose="Cancel a booking that the customer made here; refunds each means that it was paid with, less a fee.",
    input=CancelBooking,
    output=BookingCancelled,
    consent=cancellation_question,
)

# From here on: what a booking asks the object `ConfirmationNumbers` for, by number. No agent lists these.


class NumberOwner(ToolInput):
    """The booking that wants the number, or gives it back."""

    booking_id: str


class NumberTaken(Wire):
    taken: bool = Field(description="Whether the number is that booking's now")


TAKE_NUMBER = Tool(
    service=CONFIRMATION_NUMBERS,
    handler="take_number",
    purpose="Take a confirmation number for a new booking, unless it is another's.",
    input=NumberOwner,
    output=NumberTaken,
)
GIVE_NUMBER_BACK = Tool(
    service=CONFIRMATION_NUMBERS,
    handler="give_number_back",
    purpose="Let others have the number of a booking that was not made.",
    input=NumberOwner,
    output=NumberTaken,
)
