"""The contract of the airline's customers: profiles, and payments that succeed completely or not at all."""

from typing import Literal

from pydantic import Field

from services.tools.airline.data.models import User
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
    purpose="Get the customer's profile: membership, payment methods, saved passengers, reservation (booking) ids.",
    input=GetUserDetails,
    output=User,
    keyed_by="customer_id",
    read_only=True,
)

# Internal tools of the object `AirlineCustomers`, for other tools only. No agent lists them.


class Pay(ToolInput):
    """Payments that belong together. The caller undoes or settles them by `operation_id`.

    If `reservation_id` is given, the same write adds it to the customer's reservations.
    """

    operation_id: str
    parts: tuple[PaymentPart, ...]
    reservation_id: str | None = None


class OperationRef(ToolInput):
    operation_id: str


class Credit(ToolInput):
    """A refund to a gift card."""

    payment_id: str
    amount: Money = Field(gt=0)


class AddCertificate(ToolInput):
    """A new certificate for the customer, at most one per `cause`. An empty cause is not limited.

    It can be undone or settled like a payment. `ids` selects the sequence of ids; the certificate gets the first that
    is free.
    """

    operation_id: str
    amount: Money = Field(gt=0)
    cause: str = ""
    ids: Literal["random", "benchmark"] = "random"


class Compensations(WireModel):
    """The causes for which the customer was given certificates."""

    causes: tuple[str, ...]


class Acknowledgement(WireModel):
    """The request was carried out. `changed` is False if there was nothing to do."""

    changed: bool


PAY = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="pay",
    purpose="Pay with the customer's payment methods: everything or nothing.",
    input=Pay,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
UNDO_PAYMENT = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="undo_payment",
    purpose="Undo the payments of an operation that failed.",
    input=OperationRef,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
SETTLE_PAYMENT = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="settle_payment",
    purpose="Make the payments of an operation final.",
    input=OperationRef,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
CREDIT = Tool(
    service=AIRLINE_CUSTOMERS,
    handler="credit",
    purpose="Refund an amount to a gift card.",
    input=Credit,
    output=Acknowledgement,
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
    purpose="The causes for which the customer was compensated.",
    input=NoInput,
    output=Compensations,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)
