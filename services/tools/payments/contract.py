"""What payments promise: a customer's means to pay, charges of them, and the card processor outside."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import Wire
from switchboard.money import Currency, Money

NOTHING = Decimal("0.00")

PAYMENT_MEANS = "PaymentMeans"
CARD_PROCESSOR = "CardProcessor"

MeansKind = Literal["gift_card", "certificate", "credit_card"]
MeansId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2,6}-[0-9]{4}$"),
    Field(description="A means to pay, by the id that list_payment_means gives", examples=["GC-1207"]),
]


class Means(Wire):
    """One thing that the customer can pay with."""

    means_id: str
    kind: MeansKind
    label: str
    currency: Currency
    available: Money | None = Field(
        description="What is left on a gift card, or the value of a certificate, which is used whole or not at all;"
        " null for a credit card"
    )


class MeansList(Wire):
    """All that the customer can pay with."""

    summary: str = Field(description="The means in a few sentences")
    means: tuple[Means, ...]


LIST_PAYMENT_MEANS = Tool(
    service=PAYMENT_MEANS,
    handler="list_payment_means",
    purpose="What the customer can pay with: gift cards and what is left on them, travel certificates, credit cards.",
    input=NoInput,
    output=MeansList,
    keyed_by="customer_id",
)

# From here on: what other tools ask for. No agent lists these.


class ChargeMeans(ToolInput):
    """A charge of one of the customer's means. `charge_id` is the idempotency key: one id is charged once."""

    charge_id: str
    means_id: str
    amount: Money = Field(gt=0)
    currency: Currency


class Charged(Wire):
    """The charge is made; that of a credit card only once the card processor has authorised it for `card_token`."""

    card_token: str | None


class Refund(ToolInput):
    """A charge to be given back, but for `kept`. What was given back once is not given back again."""

    charge_id: str
    kept: Money = Field(NOTHING, ge=0)


class Refunded(Wire):
    amount: Money = Field(description="What has been given back of the charge in all; 0 when it was never made")


class Authorise(ToolInput):
    """A charge of a card, at the processor. The object's key is the idempotency key."""

    card_token: str
    amount: Money = Field(gt=0)
    currency: Currency


class Authorised(Wire):
    amount: Money


class RefundCard(ToolInput):
    """The authorisation to be given back, but for `kept`."""

    kept: Money = Field(NOTHING, ge=0)


CHARGE = Tool(
    service=PAYMENT_MEANS,
    handler="charge",
    purpose="Charge one of the customer's means.",
    input=ChargeMeans,
    output=Charged,
    keyed_by="customer_id",
)
REFUND = Tool(
    service=PAYMENT_MEANS,
    handler="refund",
    purpose="Give a charge back.",
    input=Refund,
    output=Refunded,
    keyed_by="customer_id",
)
AUTHORISE_CARD = Tool(
    service=CARD_PROCESSOR,
    handler="authorise",
    purpose="Charge a credit card.",
    input=Authorise,
    output=Authorised,
)
REFUND_CARD = Tool(
    service=CARD_PROCESSOR,
    handler="refund_card",
    purpose="Give the charge of a credit card back.",
    input=RefundCard,
    output=Refunded,
)
