"""What the airline's records promise to staff: all as it stands, in the form of a data set. No agent lists this."""

from services.tools.airline.data.records import Flight, Reservation, User
from switchboard import ToolInput
from switchboard.messages import WireModel

AIRLINE_RECORDS = "AirlineRecords"


class DumpRequest(ToolInput):
    changed_only: bool = False


class Dump(WireModel):
    """Records by id. Of a data set with flights of every day, the days that were booked stand beside them."""

    users: dict[str, User]
    reservations: dict[str, Reservation]
    flights: dict[str, Flight]
