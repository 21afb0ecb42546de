"""The contract of the record dump for staff: all current records in the format of a data set. No agent lists it."""

from services.tools.airline.data.models import Flight, Reservation, User
from switchboard import ToolInput
from switchboard.messages import WireModel

AIRLINE_RECORDS = "AirlineRecords"


class DumpRequest(ToolInput):
    changed_only: bool = False


class Dump(WireModel):
    """Records by id. A daily flight has the days that were booked in addition to its `"*"` entry."""

    users: dict[str, User]
    reservations: dict[str, Reservation]
    flights: dict[str, Flight]
