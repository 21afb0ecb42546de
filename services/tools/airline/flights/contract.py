"""The contract of flights: search, status and seats. Agents and other tools import only this module."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel, StringConstraints

from services.tools.airline.data.models import Amount, Cabin, Day, FlightDay
from switchboard import NoInput, Tool, ToolInput
from switchboard.contract import Text
from switchboard.messages import WireModel
from switchboard.text import PlainText
from switchboard.words import OurWords

FLIGHTS = "Flights"
FLIGHT_SEATS = "FlightSeats"

PLACE_MAX_CHARS = 60

FlightNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2,3}[0-9]{3}$"),
]
SeatNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[1-9][0-9]?[A-Fa-f]$"),
    Field(description="Row and letter"),
]
# A model does not know today's date, so the tool resolves named days with its own clock.
NamedDay = Literal["today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
AnyDay = Annotated[
    dt.date | NamedDay,
    Field(description="A weekday is after today"),
]
Place = Annotated[
    str,
    PlainText(PLACE_MAX_CHARS, min_chars=2, names=True),
    Field(description="Airport code or city"),
]
Position = Literal["window", "middle", "aisle"]


class FlightSearch(ToolInput):
    origin: Place
    destination: Place
    date: AnyDay


class FlightStatusRequest(ToolInput):
    flight_number: FlightNumber
    date: AnyDay = "today"


class FlightOffer(WireModel):
    """A flight that can be booked, with free seats and the price per passenger by cabin."""

    flight_number: OurWords
    origin: OurWords
    destination: OurWords
    status: Literal["available"]
    scheduled_departure_time_est: OurWords
    scheduled_arrival_time_est: OurWords = Field(description="With +1 if it lands on the next day")
    date: Day | None = Field(description="Null if all flights are on the requested day")
    available_seats: dict[Cabin, int]
    prices: dict[Cabin, Amount]


class DirectFlights(RootModel[tuple[FlightOffer, ...]]):
    """The flights on a day from one airport to another."""

    model_config = ConfigDict(frozen=True)


class NotShown(WireModel):
    """The number of connections that did not fit into the result."""

    connections_not_shown: int
    hint: OurWords = "Search with search_direct_flight to and from one stop to see the others."


class OneStopFlights(RootModel[tuple[tuple[FlightOffer, FlightOffer] | NotShown, ...]]):
    """Pairs of connecting flights. If there are too many for a result, the last element says how many are missing."""

    model_config = ConfigDict(frozen=True)


class Airports(RootModel[dict[str, OurWords]]):
    """Cities by airport code."""

    model_config = ConfigDict(frozen=True)


LIST_ALL_AIRPORTS = Tool(
    service=FLIGHTS,
    handler="list_all_airports",
    purpose="List the codes and cities of all airports that the airline flies to.",
    input=NoInput,
    output=Airports,
    read_only=True,
)
SEARCH_DIRECT_FLIGHT = Tool(
    service=FLIGHTS,
    handler="search_direct_flight",
    purpose="Search direct flights between two airports on a day, with prices and free seats.",
    input=FlightSearch,
    output=DirectFlights,
    read_only=True,
)
SEARCH_ONESTOP_FLIGHT = Tool(
    service=FLIGHTS,
    handler="search_onestop_flight",
    purpose="Search connections with one stop between two airports on a day, with prices and free seats.",
    input=FlightSearch,
    output=OneStopFlights,
    read_only=True,
)
GET_FLIGHT_STATUS = Tool(
    service=FLIGHTS,
    handler="get_flight_status",
    purpose="Get the status of a flight on a day, such as on time, delayed or cancelled.",
    input=FlightStatusRequest,
    output=Text,
    read_only=True,
)

# Internal tools of the object `FlightSeats`, one object per flight and day, for other tools only. No agent lists them.


def seats_key(flight_number: str, day: Day) -> str:
    """Return the key of the object that holds the seats of one flight on one day."""
    return f"{flight_number}/{day}"


class FlightOnDay(WireModel):
    """The current state of one flight on one day: its schedule, and seats and prices if it is on sale."""

    flight_number: str
    origin: str
    destination: str
    scheduled_departure_time_est: str
    scheduled_arrival_time_est: str
    date: Day
    day: FlightDay
    late_every_day: bool = Field(False, description="Whether the flight is late on every day")


class TakeSeats(ToolInput):
    """Seats for a reservation, one per passenger: all or none. The caller gives them back by `hold_id`."""

    hold_id: str
    reservation_id: str
    cabin: Cabin
    seats_total: int = Field(ge=1)


class GiveBackSeats(ToolInput):
    """The hold whose seats to free. The data set's reservations hold their seats under their own ids."""

    hold_id: str


class SeatCount(WireModel):
    seats_total: int = Field(description="Number of seats that were taken or freed")


class Seat(WireModel):
    """A seat on one day's flight. `passenger` is the number, from 1, of the requested reservation's passenger in it."""

    seat: str
    cabin: Cabin
    position: Position
    free: bool
    passenger: int | None = None


class SeatMapOf(ToolInput):
    reservation_id: str


class SeatMap(WireModel):
    """All seats, front to back."""

    seats: tuple[Seat, ...]


class MoveSeat(ToolInput):
    """A new seat in the same cabin for one passenger of a reservation (counted from 1)."""

    reservation_id: str
    passenger: int = Field(ge=1)
    seat: SeatNumber


class SeatMoved(WireModel):
    seat: str
    former: str


FLIGHT_ON_DAY = Tool(
    service=FLIGHT_SEATS,
    handler="as_it_stands",
    purpose="Get one flight on one day with its free seats.",
    input=NoInput,
    output=FlightOnDay,
    internal=True,
    read_only=True,
)
TAKE_SEATS = Tool(
    service=FLIGHT_SEATS,
    handler="take_seats",
    purpose="Take seats for a reservation: all or none.",
    input=TakeSeats,
    output=SeatCount,
    internal=True,
)
GIVE_BACK_SEATS = Tool(
    service=FLIGHT_SEATS,
    handler="give_back_seats",
    purpose="Free the seats of a hold.",
    input=GiveBackSeats,
    output=SeatCount,
    internal=True,
)
SEAT_MAP = Tool(
    service=FLIGHT_SEATS,
    handler="seat_map",
    purpose="Get all seats of one flight on one day.",
    input=SeatMapOf,
    output=SeatMap,
    internal=True,
    read_only=True,
)
MOVE_SEAT = Tool(
    service=FLIGHT_SEATS,
    handler="move_seat",
    purpose="Move a passenger of a reservation to a free seat.",
    input=MoveSeat,
    output=SeatMoved,
    internal=True,
)
