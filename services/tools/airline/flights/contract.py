"""What flights promise: search, status, and the seats of one day's flight. Agents and other tools import this only."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel, StringConstraints

from services.tools.airline.data.records import Amount, Cabin, Day, FlightDay
from switchboard import NoInput, Tool, ToolInput
from switchboard.contract import Text
from switchboard.messages import WireModel

FLIGHTS = "Flights"
FLIGHT_SEATS = "FlightSeats"

FlightNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2,3}[0-9]{3}$"),
    Field(description="Flight number: two or three letters and three digits", examples=["SB245"]),
]
SeatNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[1-9][0-9]?[A-Fa-f]$"),
    Field(description="Seat: row and letter", examples=["10B"]),
]
# A model does not know today's date: the tool's clock finds the day that is meant.
NamedDay = Literal["today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
AnyDay = Annotated[
    dt.date | NamedDay,
    Field(description="Day of departure: YYYY-MM-DD, today, tomorrow, or a weekday, which is the next one after today"),
]
Place = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=60),
    Field(description="Airport code or city", examples=["BER", "Lisbon"]),
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
    """A flight that can be booked, with what is free and what it costs for one passenger, by cabin."""

    flight_number: str
    origin: str
    destination: str
    status: Literal["available"]
    scheduled_departure_time_est: str
    scheduled_arrival_time_est: str = Field(description="With +1 when it lands on the day after")
    date: Day | None = Field(description="Null where all flights are of the day that was asked for")
    available_seats: dict[Cabin, int]
    prices: dict[Cabin, Amount]


class DirectFlights(RootModel[tuple[FlightOffer, ...]]):
    """The flights of a day from one airport to another."""

    model_config = ConfigDict(frozen=True)


class NotShown(WireModel):
    """That there are more connections than one result has room for."""

    connections_not_shown: int
    hint: str = "Search with search_direct_flight to and from one stop to see the others."


class OneStopFlights(RootModel[tuple[tuple[FlightOffer, FlightOffer] | NotShown, ...]]):
    """Pairs of flights, the second of which leaves from where and after the first has landed; at the end, where there
    are too many for a result, how many are not shown."""

    model_config = ConfigDict(frozen=True)


class Airports(RootModel[dict[str, str]]):
    """Cities by airport code."""

    model_config = ConfigDict(frozen=True)


LIST_ALL_AIRPORTS = Tool(
    service=FLIGHTS,
    handler="list_all_airports",
    purpose="All airports that are flown to, by code, with their cities.",
    input=NoInput,
    output=Airports,
)
SEARCH_DIRECT_FLIGHT = Tool(
    service=FLIGHTS,
    handler="search_direct_flight",
    purpose="Direct flights on sale between two airports on a day, with prices and free seats by cabin.",
    input=FlightSearch,
    output=DirectFlights,
)
SEARCH_ONESTOP_FLIGHT = Tool(
    service=FLIGHTS,
    handler="search_onestop_flight",
    purpose="Connections on sale with one stop between two airports on a day, with prices and free seats by cabin.",
    input=FlightSearch,
    output=OneStopFlights,
)
GET_FLIGHT_STATUS = Tool(
    service=FLIGHTS,
    handler="get_flight_status",
    purpose="The status of a flight on a day: available, on time, delayed, flying, landed or cancelled.",
    input=FlightStatusRequest,
    output=Text,
)

# From here on: what other tools ask the object `FlightSeats` for: one object for one flight on one day. No agent lists
# these.


def seats_key(flight_number: str, day: Day) -> str:
    """The key of the object that holds the seats of one flight on one day."""
    return f"{flight_number}/{day}"


class FlightOnDay(WireModel):
    """One flight on one day as it stands: its schedule, and seats and prices where it is on sale."""

    flight_number: str
    origin: str
    destination: str
    scheduled_departure_time_est: str
    scheduled_arrival_time_est: str
    date: Day
    day: FlightDay
    late_every_day: bool = Field(False, description="Whether it is late on this day as on every other")


class TakeSeats(ToolInput):
    """Seats for a reservation, one for each passenger: all, or none. `hold_id` names them for who has to undo it."""

    hold_id: str
    reservation_id: str
    cabin: Cabin
    seats_total: int = Field(ge=1)


class GiveBackSeats(ToolInput):
    """The seats of a hold. A reservation of the data set holds its seats under its own id."""

    hold_id: str


class SeatCount(WireModel):
    seats_total: int = Field(description="How many seats were taken, or are free again")


class Seat(WireModel):
    """A seat of a day's flight. `passenger` is whose it is of the reservation that was asked about, counted from 1."""

    seat: str
    cabin: Cabin
    position: Position
    free: bool
    passenger: int | None = None


class SeatMapOf(ToolInput):
    reservation_id: str


class SeatMap(WireModel):
    """Every seat, front to back."""

    seats: tuple[Seat, ...]


class MoveSeat(ToolInput):
    """Another seat, in the same cabin, for one passenger of a reservation (counted from 1)."""

    reservation_id: str
    passenger: int = Field(ge=1)
    seat: SeatNumber


class SeatMoved(WireModel):
    seat: str
    former: str


FLIGHT_ON_DAY = Tool(
    service=FLIGHT_SEATS,
    handler="as_it_stands",
    purpose="One flight on one day with its free seats.",
    input=NoInput,
    output=FlightOnDay,
    internal=True,
)
TAKE_SEATS = Tool(
    service=FLIGHT_SEATS,
    handler="take_seats",
    purpose="Take seats for a reservation: all of them, or none.",
    input=TakeSeats,
    output=SeatCount,
    internal=True,
)
GIVE_BACK_SEATS = Tool(
    service=FLIGHT_SEATS,
    handler="give_back_seats",
    purpose="The seats of a hold are not needed, or not any more.",
    input=GiveBackSeats,
    output=SeatCount,
    internal=True,
)
SEAT_MAP = Tool(
    service=FLIGHT_SEATS,
    handler="seat_map",
    purpose="Every seat of one flight on one day.",
    input=SeatMapOf,
    output=SeatMap,
    internal=True,
)
MOVE_SEAT = Tool(
    service=FLIGHT_SEATS,
    handler="move_seat",
    purpose="Move a passenger of a reservation to a free seat.",
    input=MoveSeat,
    output=SeatMoved,
    internal=True,
)
