"""What the cards promise: a customer sees them, freezes them at once, has them replaced, and sets their limits."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.tools.bank.accounts.contract import AccountId
from switchboard import Tool
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount

CARDS = "Cards"

DAY_LIMIT_MAX = Decimal("10000.00")
CASH_LIMIT_MAX = Decimal("1500.00")
"""What a card's limits can be set to, in the currency of its account."""

REPLACEMENTS_MAX = 5
REPLACEMENT_DAYS = 30
"""So many cards of a customer are replaced within so many days."""

CardKind = Literal["debit", "credit"]
CardStatus = Literal["active", "frozen", "replaced"]
ReplaceReason = Literal["lost", "stolen", "damaged", "expiring"]
CardId = Annotated[
    str,
    Field(pattern=r"^CD-[0-9A-F]{4,8}$", examples=["CD-4417"], description="The card's id, as list_cards gives it."),
]


class CardChoice(PersonalInput):
    """Which of the customer's cards: by its id or its kind; neither where there is only one."""

    card_id: CardId | None = None
    kind: CardKind | None = Field(None, description="The kind of card, instead of its id.")


class Card(WireModel):
    """One card as it stands."""

    card_id: CardId
    kind: CardKind
    number: str = Field(description="Masked but for its last four digits.")
    account: AccountId
    status: CardStatus
    expires: str = Field(description="YYYY-MM.")
    day_limit: Money = Field(description="For payments of one day, cash among them.")
    cash_limit: Money = Field(description="For cash of one day.")
    currency: Currency


class CardList(WireModel):
    """The customer's cards; those that were replaced are left out."""

    summary: str
    cards: tuple[Card, ...]


class CardChanged(WireModel):
    """The card as it stands now."""

    summary: str
    card: Card


class UnfreezeCard(PersonalInput):
    card_id: CardId


class ReplaceCard(PersonalInput):
    card_id: CardId
    reason: ReplaceReason


class CardLimits(PersonalInput):
    """A card's limits; the one that is left out stays as it is."""

    card_id: CardId
    day_limit: Money | None = Field(None, ge=0, description="For payments of one day.")
    cash_limit: Money | None = Field(None, ge=0, description="For cash of one day.")
    currency: Currency

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.day_limit is None and self.cash_limit is None:
            raise ValueError("name a day_limit, a cash_limit, or both")
        return self


def unfreeze_question(request: UnfreezeCard) -> str:
    return f"Unfreeze your card {request.card_id}, so that it can be paid with again?"


def replace_question(request: ReplaceCard) -> str:
    return (
        f"Replace your card {request.card_id} ({request.reason})? It is dead at once and for good; a new one with"
        " another number is sent to your postal address."
    )


def limits_question(request: CardLimits) -> str:
    limits = []
    if request.day_limit is not None:
        limits.append(f"payments to {format_amount(request.day_limit, request.currency)} a day")
    if request.cash_limit is not None:
        limits.append(f"cash to {format_amount(request.cash_limit, request.currency)} a day")
    return f"Set the limits of your card {request.card_id}: {' and '.join(limits)}?"


LIST_CARDS = Tool(
    service=CARDS,
    handler="list_cards",
    purpose="The customer's debit and credit cards: frozen or not, until when they are valid, their limits.",
    input=PersonalInput,
    output=CardList,
    keyed_by="customer_id",
)
# At once and without a question: a thief does not wait for a yes, and unfreezing undoes it.
FREEZE_CARD = Tool(
    service=CARDS,
    handler="freeze_card",
    purpose="Freeze or block one of the customer's cards at once, such as a lost or stolen one.",
    input=CardChoice,
    output=CardChanged,
    keyed_by="customer_id",
)
UNFREEZE_CARD = Tool(
    service=CARDS,
    handler="unfreeze_card",
    purpose="Make a frozen card usable again.",
    input=UnfreezeCard,
    output=CardChanged,
    keyed_by="customer_id",
    consent=unfreeze_question,
)
REPLACE_CARD = Tool(
    service=CARDS,
    handler="replace_card",
    purpose="Replace a card that is lost, stolen, damaged or about to expire by a new one.",
    input=ReplaceCard,
    output=CardChanged,
    keyed_by="customer_id",
    consent=replace_question,
)
CHANGE_CARD_LIMITS = Tool(
    service=CARDS,
    handler="change_card_limits",
    purpose="Raise or lower what can be paid, or drawn as cash, with a card on one day.",
    input=CardLimits,
    output=CardChanged,
    keyed_by="customer_id",
    consent=limits_question,
)
