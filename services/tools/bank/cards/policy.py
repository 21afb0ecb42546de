"""A customer's cards: what may be done with each, what becomes of it, and how it is told. Pure."""

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
    CardId,
    CardKind,
    CardLimits,
    CardList,
    CardStatus,
    ReplaceReason,
)
from services.tools.bank.records import CardData, Customer, Person
from switchboard.builtin.outbox.contract import Delivery
from switchboard.messages import WireModel
from switchboard.money import Money, format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

VALID_YEARS = 4
CARDS_KEPT = 50
"""Of one customer. Where there are more, those go that were replaced, the oldest first, and never one that is valid."""

DIGITS_RANGE = 10_000


class KeptCard(WireModel):
    """A card as it is kept; `replaced_by` is the id of the card that came in its place on the day `replaced_on`."""

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
    """All cards of a customer, the oldest first."""

    cards: tuple[KeptCard, ...]

    @property
    def valid(self) -> tuple[KeptCard, ...]:
        return tuple(card for card in self.cards if not card.replaced_by)

    def with_card(self, card: KeptCard) -> "Wallet":
        """With it in the place of what is there under its id, or behind all; the oldest dead ones may go then."""
        cards = tuple(card if old.card_id == card.card_id else old for old in self.cards)
        if card in cards:
            return Wallet(cards=cards)
        dead = sorted((old for old in cards if old.replaced_by), key=lambda old: old.replaced_on or date.min)
        gone = dead[: max(len(cards) + 1 - CARDS_KEPT, 0)]
        return Wallet(cards=(*(old for old in cards if old not in gone), card))


def first_wallet(cards: tuple[CardData, ...]) -> Wallet:
    return Wallet(cards=tuple(KeptCard(**card.model_dump()) for card in cards))


def choose(wallet: Wallet, choice: CardChoice) -> KeptCard | Refusal:
    """The card that is meant. 404 when there is none such, or more than one."""
    if choice.card_id:
        return own_card(wallet, choice.card_id)
    found = [card for card in wallet.valid if choice.kind in (None, card.kind)]
    if len(found) == 1:
        return found[0]
    return Refusal(f"{'Which card?' if found else 'You have no such card.'} {named(wallet)}", NOT_FOUND)


def own_card(wallet: Wallet, card_id: str) -> KeptCard | Refusal:
    found = next((card for card in wallet.cards if card.card_id == card_id), None)
    if found is None:
        return Refusal(f"You have no card {card_id}. {named(wallet)}", NOT_FOUND)
    if found.replaced_by:
        return Refusal(f"Your card {card_id} was replaced by {found.replaced_by}; it is dead for good.", rule="C4")
    return found


def named(wallet: Wallet) -> str:
    cards = ", ".join(f"{card.card_id} ({card.name})" for card in wallet.valid) or "none"
    return f"Your cards: {cards}."


def refuse_limits(card: KeptCard, request: CardLimits) -> Refusal | None:
    """Limits stay within what the bank allows, and cash within what can be paid at all."""
    day = card.day_limit if request.day_limit is None else request.day_limit
    cash = card.cash_limit if request.cash_limit is None else request.cash_limit
    if day > DAY_LIMIT_MAX:
        return Refusal(
            f"At most {format_amount(DAY_LIMIT_MAX, request.currency)} a day can be paid by card.", rule="C1"
        )
    if cash > CASH_LIMIT_MAX:
        return Refusal(
            f"At most {format_amount(CASH_LIMIT_MAX, request.currency)} a day can be drawn as cash.", rule="C2"
        )
    if cash > day:
        why = f"Cash counts towards the {format_amount(day, request.currency)} of a day, so its limit cannot be higher."
        return Refusal(why, rule="C3")
    return None


def refuse_currency(currency: str, request: CardLimits) -> Refusal | None:
    if request.currency == currency:
        return None
    return Refusal(f"This card's account is in {currency}, not in {request.currency}.", rule="T5")


def refuse_replacement(wallet: Wallet, today: date) -> Refusal | None:
    """Whoever has a card replaced again and again does not get one more by asking."""
    since = today - timedelta(days=REPLACEMENT_DAYS)
    lately = sum(card.replaced_on is not None and card.replaced_on > since for card in wallet.cards)
    if lately < REPLACEMENTS_MAX:
        return None
    why = f"{lately} of your cards were replaced within {REPLACEMENT_DAYS} days. Freeze the card, and call our staff."
    return Refusal(why, rule="C5")


def replaced(card: KeptCard, by: str, today: date) -> KeptCard:
    return card.model_copy(update={"frozen": True, "replaced_by": by, "replaced_on": today})


def limited(card: KeptCard, request: CardLimits) -> KeptCard:
    return card.model_copy(update=request.model_dump(include={"day_limit", "cash_limit"}, exclude_none=True))


def successor(card: KeptCard, card_id: str, digits: int, year: int) -> KeptCard:
    """The new card: another number, the same account and limits."""
    return KeptCard(
        card_id=card_id,
        kind=card.kind,
        last_digits=f"{digits:04}",
        account=card.account,
        expires=f"{year + VALID_YEARS}{card.expires[4:]}",
        day_limit=card.day_limit,
        cash_limit=card.cash_limit,
    )


def card_letter(old: KeptCard, new: KeptCard, person: Person, reason: ReplaceReason, email_id: str) -> Delivery:
    """That the new card is on its way."""
    return Delivery(
        email_id=email_id,
        to=person.email,
        subject=f"Your new {new.kind} card is on its way",
        body=(
            f"Dear {person.name},\n\nyour {old.name} ({reason}) is dead since today. The new one, ending in"
            f" {new.last_digits}, is sent to {person.address}. Its PIN comes in a letter of its own.\n\nHarbour Bank\n"
        ),
    )


def view(card: KeptCard, customer: Customer) -> Card:
    fields = {"card_id", "kind", "account", "status", "expires", "day_limit", "cash_limit"}
    return Card(
        number=f"•••• {card.last_digits}",
        currency=customer.currency_of(card.account),
        **{name: getattr(card, name) for name in fields},
    )


def changed(told: str, card: KeptCard, customer: Customer) -> CardChanged:
    return CardChanged(summary=told, card=view(card, customer))


def listed(wallet: Wallet, customer: Customer) -> CardList:
    cards = tuple(view(card, customer) for card in wallet.valid)
    each = "; ".join(
        f"{kept.card_id}, {kept.name}, {card.status}, {format_amount(card.day_limit, card.currency)} a day"
        for kept, card in zip(wallet.valid, cards, strict=True)
    )
    return CardList(summary=f"Your cards: {each}." if cards else "You have no cards.", cards=cards)
