"""A customer's cards: validation of changes, their results, and the texts about them. Pure."""

from datetime import date, timedelta

from services.tools.bank.accounts.contract import AccountId
from services.tools.bank.cards.contract import (
    CASH_LIMIT_MAX,
    DAY_LIMIT_MAX,
    REPLACEMENT_DAYS,
    REPLACEMENTS_MAX,
    Card,
    CardChanged,
    CardChoice,
    CardFacts,
    CardId,
    CardKind,
    CardLimits,
    CardList,
    CardStatus,
    LimitFacts,
    ReplaceReason,
)
from services.tools.bank.records import CardData, Customer, Person
from switchboard.builtin.outbox.contract import Delivery
from switchboard.messages import WireModel
from switchboard.money import Money, format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

VALID_YEARS = 4
CARDS_KEPT = 50
"""Cards stored per customer. Beyond that, replaced cards are dropped, oldest first. Valid cards are never dropped."""

DIGITS_RANGE = 10_000


class StoredCard(WireModel):
    """A card as it is stored. `replaced_by` is the id of the card that replaced it on `replaced_on`."""

    card_id: CardId
    kind: CardKind
    last_digits: str
    account: AccountId
    expires: str
    day_limit: Money
    cash_limit: Money
    frozen: bool = False
    replaced_by: str = ""
    replaced_on: date | None = None

    @property
    def status(self) -> CardStatus:
        if self.replaced_by:
            return "replaced"
        return "frozen" if self.frozen else "active"

    @property
    def name(self) -> str:
        return f"{self.kind} card ending in {self.last_digits}"


class Wallet(WireModel):
    """All cards of a customer, oldest first."""

    cards: tuple[StoredCard, ...]

    @property
    def valid(self) -> tuple[StoredCard, ...]:
        return tuple(card for card in self.cards if not card.replaced_by)

    def with_card(self, card: StoredCard) -> "Wallet":
        """Replace the card with the same id, or append it. Appending may drop the oldest replaced cards."""
        cards = tuple(card if old.card_id == card.card_id else old for old in self.cards)
        if card in cards:
            return Wallet(cards=cards)
        replaced = sorted((old for old in cards if old.replaced_by), key=lambda old: old.replaced_on or date.min)
        dropped = replaced[: max(len(cards) + 1 - CARDS_KEPT, 0)]
        return Wallet(cards=(*(old for old in cards if old not in dropped), card))


def first_wallet(cards: tuple[CardData, ...]) -> Wallet:
    return Wallet(cards=tuple(StoredCard(**card.model_dump()) for card in cards))


def find_card(wallet: Wallet, choice: CardChoice) -> StoredCard | Refusal:
    """Return the card that the customer means. Refuse with 404 if none or several match."""
    if choice.card_id:
        return own_card(wallet, choice.card_id)
    found = [card for card in wallet.valid if choice.kind in (None, card.kind)]
    if len(found) == 1:
        return found[0]
    problem = "Which card do you mean?" if found else "You have no such card."
    return Refusal(f"{problem} {names_of(wallet)}", NOT_FOUND)


def own_card(wallet: Wallet, card_id: str) -> StoredCard | Refusal:
    found = next((card for card in wallet.cards if card.card_id == card_id), None)
    if found is None:
        return Refusal(f"You have no card {card_id}. {names_of(wallet)}", NOT_FOUND)
    if found.replaced_by:
        why = f"Your card {card_id} was replaced by {found.replaced_by} and can no longer be used."
        return Refusal(why, rule="C4")
    return found


def names_of(wallet: Wallet) -> str:
    cards = ", ".join(f"{card.card_id} ({card.name})" for card in wallet.valid) or "none"
    return f"Your cards: {cards}."


def refuse_limits(card: StoredCard, request: CardLimits) -> Refusal | None:
    """Refuse limits above the bank's maximum, and a cash limit above the daily limit."""
    day = card.day_limit if request.day_limit is None else request.day_limit
    cash = card.cash_limit if request.cash_limit is None else request.cash_limit
    if day > DAY_LIMIT_MAX:
        why = f"The daily limit of a card can be at most {format_amount(DAY_LIMIT_MAX, request.currency)}."
        return Refusal(why, rule="C1")
    if cash > CASH_LIMIT_MAX:
        why = f"The daily cash limit of a card can be at most {format_amount(CASH_LIMIT_MAX, request.currency)}."
        return Refusal(why, rule="C2")
    if cash > day:
        why = (
            f"Cash withdrawals count towards the card's daily limit of {format_amount(day, request.currency)}, so the"
            " cash limit cannot be higher."
        )
        return Refusal(why, rule="C3")
    return None


def refuse_currency(currency: str, request: CardLimits) -> Refusal | None:
    if request.currency == currency:
        return None
    return Refusal(f"This card's account is in {currency}, not in {request.currency}.", rule="T5")


def refuse_replacement(wallet: Wallet, today: date) -> Refusal | None:
    """Refuse a replacement if the customer had too many recently."""
    since = today - timedelta(days=REPLACEMENT_DAYS)
    recent = sum(card.replaced_on is not None and card.replaced_on > since for card in wallet.cards)
    if recent < REPLACEMENTS_MAX:
        return None
    why = (
        f"{recent} of your cards were replaced in the last {REPLACEMENT_DAYS} days, so we cannot replace another one"
        " now. You can freeze the card. Please contact our staff about a replacement."
    )
    return Refusal(why, rule="C5")


def mark_replaced(card: StoredCard, by: str, today: date) -> StoredCard:
    return card.model_copy(update={"frozen": True, "replaced_by": by, "replaced_on": today})


def with_limits(card: StoredCard, request: CardLimits) -> StoredCard:
    return card.model_copy(update=request.model_dump(include={"day_limit", "cash_limit"}, exclude_none=True))


def replacement_card(card: StoredCard, card_id: str, digits: int, year: int) -> StoredCard:
    """Return the new card: a different number, but the same account and limits."""
    return StoredCard(
        card_id=card_id,
        kind=card.kind,
        last_digits=f"{digits:04}",
        account=card.account,
        expires=f"{year + VALID_YEARS}{card.expires[4:]}",
        day_limit=card.day_limit,
        cash_limit=card.cash_limit,
    )


def replacement_email(
    old: StoredCard, new: StoredCard, person: Person, reason: ReplaceReason, email_id: str
) -> Delivery:
    return Delivery(
        email_id=email_id,
        to=person.email,
        subject=f"Your new {new.kind} card is on its way",
        body=(
            f"Dear {person.name},\n\nYour {old.name} ({reason}) no longer works as of today. We are sending your new"
            f" card, ending in {new.last_digits}, to {person.address}. Its PIN will arrive in a separate letter.\n\n"
            "Harbour Bank\n"
        ),
    )


def facts(card: StoredCard) -> CardFacts:
    return CardFacts(kind=card.kind, last_digits=card.last_digits)


def limit_facts(card: StoredCard, currency: str) -> LimitFacts:
    limits = card.model_dump(include={"kind", "last_digits", "day_limit", "cash_limit"})
    return LimitFacts(currency=currency, **limits)


def view(card: StoredCard, customer: Customer) -> Card:
    fields = {"card_id", "kind", "account", "status", "expires", "day_limit", "cash_limit"}
    return Card(
        number=f"•••• {card.last_digits}",
        currency=customer.currency_of(card.account),
        **{name: getattr(card, name) for name in fields},
    )


def card_changed(summary: str, card: StoredCard, customer: Customer) -> CardChanged:
    return CardChanged(summary=summary, card=view(card, customer))


def card_list(wallet: Wallet, customer: Customer) -> CardList:
    cards = tuple(view(card, customer) for card in wallet.valid)
    each = "; ".join(
        f"{kept.card_id}, {kept.name}, {card.status}, {format_amount(card.day_limit, card.currency)} a day"
        for kept, card in zip(wallet.valid, cards, strict=True)
    )
    return CardList(summary=f"Your cards: {each}." if cards else "You have no cards.", cards=cards)
