"""What seating promises: which seats a reservation could have, and the change to another. Agents import this only."""

import datetime as dt

from pydantic import Field

from services.tools.airline.data.records import Cabin
from services.tools.airline.flights.contract import FlightNumber, SeatNumber
from services.tools.airline.reservations.contract import ReservationId, UserId
from switchboard import Tool
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel

SEAT_CHANGES = "SeatChanges"


class SeatMapRequest(PersonalInput):
    customer_id: UserId
    confirmation_number: ReservationId
    flight_number: FlightNumber | None = Field(
        None, description="Which flight of the booking; leave out when only one is still to depart"
    )
    passenger: str | None = Field(
        None, max_length=121, description="Whose seat, by name; leave out when the booking has one passenger"
    )


class SeatChoice(WireModel):
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


class SeatChanged(WireModel):
    """The booking has this seat now."""

    summary: str = Field(description="What changed, in one sentence")
    confirmation_number: str
    flight_number: str
    date: dt.date = Field(description="Day of departure")
    seat: str
    former_seat: str


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
