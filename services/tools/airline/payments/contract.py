"""What the card processor outside promises: charges and credits of credit cards, each once for an idempotency key."""

from pydantic import Field

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

CARD_PROCESSOR = "CardProcessor"


def card_token(user_id: str, payment_id: str) -> str:
    """What names a customer's card to the processor."""
    return f"{user_id}/{payment_id}"


class CardMovement(ToolInput):
    """Money from a card, or to it. The object's key is the idempotency key."""

    card_token: str
    amount: Money = Field(gt=0)
    currency: Currency


class Moved(WireModel):
    amount: Money = Field(description="From the card; negative when to it, 0 when nothing was moved, or it was voided")


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
    purpose="Call the charge of a credit card off.",
    input=NoInput,
    output=Moved,
    internal=True,
)
CREDIT_CARD = Tool(
    service=CARD_PROCESSOR,
    handler="credit",
    purpose="Give money back to a credit card.",
    input=CardMovement,
    output=Moved,
    internal=True,
)
