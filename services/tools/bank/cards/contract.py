"""Contract of the cards service: list, freeze, unfreeze and replace cards, and change their limits."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.tools.bank.accounts.contract import AccountId
from switchboard import Tool
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount
from switchboard.words import OurWords

CARDS = "Cards"

DAY_LIMIT_MAX = Decimal("10000.00")
CASH_LIMIT_MAX = Decimal("1500.00")
"""Highest daily limit and highest daily cash limit that a customer can set, in the currency of the card's account."""

REPLACEMENTS_MAX = 5
REPLACEMENT_DAYS = 30
"""At most REPLACEMENTS_MAX cards of a customer can be replaced within REPLACEMENT_DAYS."""

CardKind = Literal["debit", "credit"]
CardStatus = Literal["active", "frozen", "replaced"]
ReplaceReason = Literal["lost", "stolen", "damaged", "expiring"]
CardId = Annotated[
    str,
    Field(pattern=r"^CD-[0-9A-F]{4,8}$"),
]


class CardChoice(PersonalInput):
    """Which of the customer's cards, by id or by kind. Neither is needed if the customer has only one card."""

    card_id: CardId | None = None
    kind: CardKind | None = Field(None, description="Instead of the id.")


class Card(WireModel):
    """The current state of one card."""

    card_id: CardId
    kind: CardKind
    number: OurWords = Field(description="The card number, masked except for its last four digits.")
    account: AccountId
    status: CardStatus
    expires: OurWords = Field(description="YYYY-MM.")
    day_limit: Money = Field(description="Per day, including cash.")
    cash_limit: Money = Field(description="Per day.")
    currency: Currency


class CardList(WireModel):
    """The customer's cards, without those that were replaced."""

    summary: OurWords
    cards: tuple[Card, ...]


class CardChanged(WireModel):
    """A card after a change."""

    summary: OurWords
    card: Card


class UnfreezeCard(PersonalInput):
    card_id: CardId


class ReplaceCard(PersonalInput):
    card_id: CardId
    reason: ReplaceReason


class CardFacts(WireModel):
    """The card that the customer wants to change."""

    kind: CardKind
    last_digits: str


class LimitFacts(CardFacts):
    """The card with its present limits."""

    day_limit: Money
    cash_limit: Money
    currency: Currency


class CardLimits(PersonalInput):
    """New limits for a card. An omitted limit stays unchanged."""

    card_id: CardId
    day_limit: Money | None = Field(None, ge=0, description="Per day, including cash.")
    cash_limit: Money | None = Field(None, ge=0, description="Per day.")
    currency: Currency

    @model_validator(mode="after")
    def check_limit_given(self) -> Self:
        if self.day_limit is None and self.cash_limit is None:
            raise ValueError("no limit is given; set day_limit, cash_limit, or both")
        return self


def unfreeze_question(request: UnfreezeCard, facts: CardFacts) -> str:
    return f"Unfreeze your {card_name(facts)} ({request.card_id}) so that it can be used again?"


def replace_question(request: ReplaceCard, facts: CardFacts) -> str:
    return (
        f"Replace your {card_name(facts)} ({request.card_id}; reason: {request.reason})? The card stops working"
        " immediately and permanently. We will send a new card with a different number to your postal address."
    )


def limits_question(request: CardLimits, facts: LimitFacts) -> str:
    day = limit_words(request.day_limit, facts.day_limit, request.currency, facts.currency)
    cash = limit_words(request.cash_limit, facts.cash_limit, request.currency, facts.currency)
    card = f"{card_name(facts)} ({request.card_id})"
    return f"Change the limits of your {card}: {day} a day for all payments, and {cash} a day in cash?"


def limit_words(new: Money | None, present: Money, currency: Currency, present_currency: Currency) -> str:
    now = format_amount(present, present_currency)
    return f"still up to {now}" if new is None else f"up to {format_amount(new, currency)} instead of {now}"


def card_name(facts: CardFacts) -> str:
    return f"{facts.kind} card ending in {facts.last_digits}"


LIST_CARDS = Tool(
    service=CARDS,
    handler="list_cards",
    purpose="List debit and credit cards with status, expiry date and limits.",
    input=PersonalInput,
    output=CardList,
    keyed_by="customer_id",
    read_only=True,
)
# Freezing needs no confirmation: it is urgent when a card is stolen, and it can be undone.
FREEZE_CARD = Tool(
    service=CARDS,
    handler="freeze_card",
    purpose="Freeze or block a card immediately, for example if it is lost or stolen.",
    input=CardChoice,
    output=CardChanged,
    keyed_by="customer_id",
    label="freeze the card",
)
UNFREEZE_CARD = Tool(
    service=CARDS,
    handler="unfreeze_card",
    purpose="Unfreeze a card.",
    input=UnfreezeCard,
    output=CardChanged,
    keyed_by="customer_id",
    consent=unfreeze_question,
    check=CardFacts,
    label="unfreeze the card",
)
REPLACE_CARD = Tool(
    service=CARDS,
    handler="replace_card",
    purpose="Replace a card.",
    input=ReplaceCard,
    output=CardChanged,
    keyed_by="customer_id",
    consent=replace_question,
    check=CardFacts,
    label="replace the card",
)
CHANGE_CARD_LIMITS = Tool(
    service=CARDS,
    handler="change_card_limits",
    purpose="Raise or lower the daily payment and cash limits of a card.",
    input=CardLimits,
    output=CardChanged,
    keyed_by="customer_id",
    consent=limits_question,
    check=LimitFacts,
    label="change the card's limits",
)
