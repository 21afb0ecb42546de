"""Contract of the payment network: send or cancel a payment to another bank. Each id is sent at most once."""

from pydantic import AwareDatetime

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

PAYMENT_NETWORK = "PaymentNetwork"


class OutsidePayment(ToolInput):
    """A payment to an account at another bank. The object's key is the payment's id and the idempotency key."""

    payer_name: str
    recipient_name: str
    iban: str
    amount: Money
    currency: Currency
    reference: str


class Submitted(WireModel):
    """The payment was sent. It is an instant payment and cannot be undone."""

    at: AwareDatetime


class CallOff(ToolInput):
    """No fields: the object's key is the payment's id."""


class CalledOff(WireModel):
    """`sent` is true if the payment had already been sent. Otherwise it can no longer be sent."""

    sent: bool


# Internal tools: a payment is sent as a step of a transfer. Agents do not list them.
SUBMIT_PAYMENT = Tool(
    service=PAYMENT_NETWORK,
    handler="submit",
    purpose="Send a payment to another bank, once per id.",
    input=OutsidePayment,
    output=Submitted,
    internal=True,
)
CALL_OFF_PAYMENT = Tool(
    service=PAYMENT_NETWORK,
    handler="call_off",
    purpose="Cancel a payment, unless it has already been sent.",
    input=CallOff,
    output=CalledOff,
    internal=True,
)
