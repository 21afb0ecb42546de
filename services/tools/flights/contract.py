"""What the flights promise: their status, and the seats aboard. Agents and other tools import this and nothing else."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import Wire

SEATS = "Seats"

FlightNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2}[0-9]{3}$"),
    Field(description="Flight number: two letters and three digits", examples=["SB245"]),
]
SeatNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[1-9][0-9]?[A-Fa-f]$"),
    Field(description="Seat: row and letter", examples=["10B"]),
]
Cabin = Literal["business", "economy"]
Position = Literal["window", "middle", "aisle"]
State = Literal["on_time", "delayed", "cancelled", "boarding", "departed", "landed"]


class FlightStatusRequest(ToolInput):
    flight_number: FlightNumber
    date: dt.date | None = Field(
        None,
        description="Day of departure (UTC), YYYY-MM-DD. Leave out for the flight that is under way or leaves next.",
        examples=["2026-12-03"],
    )


class FlightStatus(Wire):
    """One flight on one day. All times are UTC."""

    summary: str = Field(description="The status in one sentence")
    flight_number: str
    date: dt.date = Field(description="Day of departure")
    origin: str
    destination: str
    status: State
    delay_minutes: int = Field(description="0 when it is not delayed")
    scheduled_departure: dt.datetime
    scheduled_arrival: dt.datetime
    expected_departure: dt.datetime | None = Field(description="With the delay; none when cancelled")
    expected_arrival: dt.datetime | None = Field(description="With the delay; none when cancelled")
    gate: str | None = Field(description="None when cancelled")
    reason: str | None = Field(description="Why it is delayed or cancelled")


GET_FLIGHT_STATUS = Tool(
    service="Flights",
    handler="get_flight_status",
    purpose="Whether a flight is on time, delayed, boarding or cancelled; its scheduled times and its gate.",
    input=FlightStatusRequest,
    output=FlightStatus,
)

# From here on: what other tools ask the object `Seats` for, one object for one flight on one day. No agent lists these.


def seats_key(flight_number: str, date: dt.date) -> str:
    """The key of the object that holds the seats of one flight on one day."""
    return f"{flight_number}:{date.isoformat()}"


class Seat(Wire):
    seat: str
    cabin: Cabin
    position: Position
    free: bool


class SeatMap(Wire):
    """Every seat of one flight on one day, front to back."""

    seats: tuple[Seat, ...]


class SeatHolder(ToolInput):
    """A passenger of a booking, counted from 1: each holds a seat of their own."""

    confirmation_number: str
    passenger: int = 1

    @property
    def holder(self) -> str:
        return holder(self.confirmation_number, self.passenger)


def holder(confirmation_number: str, passenger: int) -> str:
    """Under what name a passenger's seat is held: the first passenger's under the booking's own number."""
    return confirmation_number if passenger == 1 else f"{confirmation_number}/{passenger}"


class ClaimSeat(SeatHolder):
    """A claim of a seat for a booking. `claim_id` names the claim, for the one who has to settle it."""

    cabin: Cabin = Field(description="What the booking has paid for")
    seat: SeatNumber
    claim_id: str


class SeatClaimed(Wire):
    """The booking now holds `seat`. `former` is held back for it until the claim is released or undone."""

    seat: str
    former: str | None = Field(description="The seat before; the same seat when the booking had it already")


class SettleClaim(SeatHolder):
    """Which claim of which booking to bring to an end."""

    claim_id: str


class TakeSeats(ToolInput):
    """A claim of seats for a new booking, one for each passenger: `seat` for the first, the nearest for the others.

    Without `seat`, the first free ones are taken.
    """

    confirmation_number: str
    cabin: Cabin
    seats_total: int = Field(ge=1)
    seat: SeatNumber | None = None
    claim_id: str


class SeatsTaken(Wire):
    """In the order of the passengers. Each is claimed, and has to be settled as such."""

    seats: tuple[str, ...]


class VacateSeats(ToolInput):
    """The booking that has no seat on this flight any more."""

    confirmation_number: str


class SeatsVacated(Wire):
    seats_total: int = Field(description="How many seats are free now that were the booking's")


class SeatHeld(Wire):
    """What the booking holds on this flight."""

    seat: str | None


SEAT_MAP = Tool(
    service=SEATS,
    handler="seat_map",
    purpose="Every seat of one flight on one day.",
    input=NoInput,
    output=SeatMap,
)
CLAIM_SEAT = Tool(
    service=SEATS,
    handler="claim",
    purpose="Move a booking to a free seat. The claim has to be released or undone afterwards.",
    input=ClaimSeat,
    output=SeatClaimed,
)
RELEASE_SEAT = Tool(
    service=SEATS,
    handler="release",
    purpose="The claim stands: let others have the seat that the booking held before.",
    input=SettleClaim,
    output=SeatHeld,
)
UNDO_CLAIM = Tool(
    service=SEATS,
    handler="undo_claim",
    purpose="The claim falls: back to the seat that the booking held before.",
    input=SettleClaim,
    output=SeatHeld,
)
TAKE_SEATS = Tool(
    service=SEATS,
    handler="take",
    purpose="Take seats for a new booking: all of them, or none. Each claim has to be released or undone afterwards.",
    input=TakeSeats,
    output=SeatsTaken,
)
VACATE_SEATS = Tool(
    service=SEATS,
    handler="vacate",
    purpose="A booking is cancelled: let others have its seats.",
    input=VacateSeats,
    output=SeatsVacated,
)
