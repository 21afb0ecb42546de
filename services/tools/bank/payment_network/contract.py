"""What the payment network promises: a payment to another bank leaves once for each id, or never."""

from pydantic import AwareDatetime

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

PAYMENT_NETWORK = "PaymentNetwork"


class OutsidePayment(ToolInput):
    """Money for an account at another bank. The payment's id, the object's key, is the idempotency key."""

    payer_name: str
    recipient_name: str
    iban: str
    amount: Money
    currency: Currency
    reference: str


class Submitted(WireModel):
    """The payment has left. It is an instant one: from here on nobody can take it back."""

    at: AwareDatetime


class CallOff(ToolInput):
    """Nothing to say: the payment's id is the key."""


class CalledOff(WireModel):
    """`sent` when the payment had left before; otherwise it never will."""

    sent: bool


# No agent lists these: a payment leaves as a step of a transfer.
SUBMIT_PAYMENT = Tool(
    service=PAYMENT_NETWORK,
    handler="submit",
    purpose="Send a payment to another bank, once for each id.",
    input=OutsidePayment,
    output=Submitted,
    internal=True,
)
CALL_OFF_PAYMENT = Tool(
    service=PAYMENT_NETWORK,
    handler="call_off",
    purpose="See to it that a payment never leaves, if it has not yet.",
    input=CallOff,
    output=CalledOff,
    internal=True,
)
