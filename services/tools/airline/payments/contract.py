"""The contract of the external card processor: charge and refund credit cards, once per idempotency key."""

from pydantic import Field

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

CARD_PROCESSOR = "CardProcessor"


def card_token(user_id: str, payment_id: str) -> str:
    """Return the processor's id for a customer's card."""
    return f"{user_id}/{payment_id}"


class CardMovement(ToolInput):
    """A charge or a refund of a card. The object's key is the idempotency key."""

    card_token: str
    amount: Money = Field(gt=0)
    currency: Currency


class Moved(WireModel):
    amount: Money = Field(
        description="Charged amount; negative for a refund, 0 if nothing was charged or it was voided"
    )


AUTHORISE_CARD = Tool(
    service=CARD_PROCESSOR,
    handler="authorise",
    purpose="Charge a credit card.",
    input=CardMovement,
    output=Moved,
    internal=True,
)
VOID_CARD = Tool(
    service=CARD_PROCESSOR,
    handler="void",
    purpose="Void the charge of a credit card.",
    input=NoInput,
    output=Moved,
    internal=True,
)
CREDIT_CARD = Tool(
    service=CARD_PROCESSOR,
    handler="credit",
    purpose="Refund an amount to a credit card.",
    input=CardMovement,
    output=Moved,
    internal=True,
)
