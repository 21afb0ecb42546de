"""The contract of seat changes: the free seats for a reservation, and a change of seat. Agents import only this."""

import datetime as dt
from typing import Annotated

from pydantic import Field

from services.tools.airline.data.models import Cabin
from services.tools.airline.flights.contract import FlightNumber, SeatNumber
from services.tools.airline.reservations.contract import PERSON_NAME_MAX_CHARS, ReservationId, UserId
from switchboard import Tool
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.text import PlainText
from switchboard.words import OthersWords, OurWords

SEAT_CHANGES = "SeatChanges"

FullName = Annotated[str, PlainText(2 * PERSON_NAME_MAX_CHARS + 1, names=True)]
"""First and last name, with a space between them."""


class SeatMapRequest(PersonalInput):
    customer_id: UserId
    confirmation_number: ReservationId
    flight_number: FlightNumber | None = Field(None, description="Leave out if only one flight has not departed")
    passenger: FullName | None = Field(None, description="Full name; leave out if there is only one")


class SeatChoice(WireModel):
    """The free seats for the booking on one of its flights, in the booked cabin."""

    summary: OthersWords = Field(description="The free seats in a few sentences")
    confirmation_number: OurWords
    flight_number: OurWords
    date: dt.date = Field(description="Day of departure")
    cabin: Cabin
    seat: OurWords = Field(description="The passenger's current seat")
    free_window: tuple[OurWords, ...]
    free_middle: tuple[OurWords, ...]
    free_aisle: tuple[OurWords, ...]


class SeatChangeRequest(SeatMapRequest):
    seat: SeatNumber


class SeatChanged(WireModel):
    """The result of a change of seat."""

    summary: OthersWords = Field(description="What changed, in one sentence")
    confirmation_number: OurWords
    flight_number: OurWords
    date: dt.date = Field(description="Day of departure")
    seat: OurWords
    former_seat: OurWords


GET_SEAT_MAP = Tool(
    service=SEAT_CHANGES,
    handler="get_seat_map",
    purpose="Get the free seats on a flight of a booking, by window, middle and aisle, and the current seat.",
    input=SeatMapRequest,
    output=SeatChoice,
    read_only=True,
)
CHANGE_SEAT = Tool(
    service=SEAT_CHANGES,
    handler="change_seat",
    purpose="Change a seat on a flight that has not departed, free of charge and at once.",
    input=SeatChangeRequest,
    output=SeatChanged,
    label="change the seat",
)
