"""What the airline's customers promise: their profile, and payment methods that pay all of a thing or nothing."""

from typing import Literal

from pydantic import Field

from services.tools.airline.data.records import User
from services.tools.airline.reservations.contract import PaymentPart, UserId
from switchboard import NoInput, Tool, ToolInput
from switchboard.contract import PersonalInput, Text
from switchboard.messages import WireModel
from switchboard.money import Money

AIRLINE_CUSTOMERS = "AirlineCustomers"


class GetUserDetails(PersonalInput):
    user_id: UserId


GET_USER_DETAILS = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="get_user_details",
    purpose="The customer's profile: membership, payment methods, saved passengers, and the ids of their reservations"
    " (bookings).",
    input=GetUserDetails,
    output=User,
    keyed_by="customer_id",
)

# From here on: what other tools ask the object `AirlineCustomers` for. No agent lists these.


class Pay(ToolInput):
    """Payments that belong together. `operation_id` names them for the one who has to undo or settle them.

    `reservation_id`, when it is given, is added to the customer's reservations in the same breath.
    """

    operation_id: str
    parts: tuple[PaymentPart, ...]
    reservation_id: str | None = None


class OperationRef(ToolInput):
    operation_id: str


class Credit(ToolInput):
    """Money that goes back to a gift card."""

    payment_id: str
    amount: Money = Field(gt=0)


class AddCertificate(ToolInput):
    """A certificate for the customer. What was given once for a `cause` is not given again; empty is no cause.

    It can be undone, or settled, as a payment. `ids` says of which ids the first free one is the certificate's.
    """

    operation_id: str
    amount: Money = Field(gt=0)
    cause: str = ""
    ids: Literal["random", "benchmark"] = "random"


class Compensations(WireModel):
    """For what the customer was given certificates."""

    causes: tuple[str, ...]


class Noted(WireModel):
    """The customer's record has it now. `changed` is False when there was nothing to do."""

    changed: bool


PAY = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="pay",
    purpose="Pay with some of the customer's payment methods: all of it, or nothing.",
    input=Pay,
    output=Noted,
    keyed_by="customer_id",
    internal=True,
)
UNDO_PAYMENT = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="undo_payment",
    purpose="Give back payments for what did not come about.",
    input=OperationRef,
    output=Noted,
    keyed_by="customer_id",
    internal=True,
)
SETTLE_PAYMENT = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="settle_payment",
    purpose="The payments stand.",
    input=OperationRef,
    output=Noted,
    keyed_by="customer_id",
    internal=True,
)
CREDIT = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="credit",
    purpose="Put money back on a gift card.",
    input=Credit,
    output=Noted,
    keyed_by="customer_id",
    internal=True,
)
ADD_CERTIFICATE = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="add_certificate",
    purpose="Give the customer a certificate.",
    input=AddCertificate,
    output=Text,
    keyed_by="customer_id",
    internal=True,
)
LIST_COMPENSATIONS = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="list_compensations",
    purpose="For what the customer was compensated.",
    input=NoInput,
    output=Compensations,
    keyed_by="customer_id",
    internal=True,
)
