"""Serves a customer's cards: one Restate object a customer; what is done to a card is one write.

The demo data says which cards there are when a customer is first seen; from the first change on the object's own state
does. A new card is announced by e-mail, sent in the same breath in which the old one dies.
"""

import restate

from services.tools.bank.cards import policy
from services.tools.bank.cards.contract import (
    CARDS,
    CHANGE_CARD_LIMITS,
    FREEZE_CARD,
    LIST_CARDS,
    REPLACE_CARD,
    UNFREEZE_CARD,
    CardChanged,
    CardChoice,
    CardLimits,
    CardList,
    ReplaceCard,
    UnfreezeCard,
)
from services.tools.bank.cards.policy import KeptCard, Wallet
from services.tools.bank.lookups import BankRecords, known_customer, known_person
from services.tools.bank.records import Customer
from switchboard import implements
from switchboard.builtin.outbox.contract import DELIVER
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, tell

WALLET = "wallet"
ID_DIGITS = 8
"""Of a new card's id; the shipped cards have four."""


def cards_object(records: BankRecords) -> restate.VirtualObject:
    """Build the object; `records` has the customers, and their addresses for the letters."""
    cards = tool_object(CARDS, "Debit and credit cards of one customer, by customer id.")
    add_freezing(cards, records)
    add_changes(cards, records)
    return cards


def add_freezing(cards: restate.VirtualObject, records: BankRecords) -> None:
    """Add what is done at once and can be undone."""

    @implements(cards, LIST_CARDS, kind="shared")
    async def list_cards(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> CardList:
        """Every card that was not replaced."""
        customer = await known_customer(ctx, records, ctx.key())
        return policy.listed(await wallet_of(ctx, customer), customer)

    @implements(cards, FREEZE_CARD)
    async def freeze_card(ctx: restate.ObjectContext, request: CardChoice) -> CardChanged:
        """Freeze a card; one that is frozen stays so. TerminalError 404 and 409."""
        customer = await known_customer(ctx, records, ctx.key())
        wallet = await wallet_of(ctx, customer)
        card = allowed(policy.choose(wallet, request)).model_copy(update={"frozen": True})
        told = f"Your {card.name} ({card.card_id}) is frozen: nothing can be paid with it."
        return write(ctx, wallet, card, customer, told)

    @implements(cards, UNFREEZE_CARD)
    async def unfreeze_card(ctx: restate.ObjectContext, request: UnfreezeCard) -> CardChanged:
        """Make a frozen card usable. TerminalError 404 and 409."""
        customer = await known_customer(ctx, records, ctx.key())
        wallet = await wallet_of(ctx, customer)
        card = allowed(policy.own_card(wallet, request.card_id)).model_copy(update={"frozen": False})
        return write(ctx, wallet, card, customer, f"Your {card.name} ({card.card_id}) can be used again.")


def add_changes(cards: restate.VirtualObject, records: BankRecords) -> None:
    """Add limits and replacements."""

    @implements(cards, CHANGE_CARD_LIMITS)
    async def change_card_limits(ctx: restate.ObjectContext, request: CardLimits) -> CardChanged:
        """Set a card's limits. TerminalError 404 and 409."""
        customer = await known_customer(ctx, records, ctx.key())
        wallet = await wallet_of(ctx, customer)
        card = allowed(policy.own_card(wallet, request.card_id))
        allowed(policy.refuse_currency(customer.currency_of(card.account), request))
        await enforce_policy(ctx, "change_card_limits", policy.refuse_limits(card, request))
        card = policy.limited(card, request)
        day_limit, cash_limit = (
            f"{card.day_limit:,.2f} {request.currency}",
            f"{card.cash_limit:,.2f} {request.currency}",
        )
        limits = f"{day_limit} a day, {cash_limit} of it as cash"
        return write(ctx, wallet, card, customer, f"Your {card.name} ({card.card_id}) can be used for {limits}.")

    @implements(cards, REPLACE_CARD)
    async def replace_card(ctx: restate.ObjectContext, request: ReplaceCard) -> CardChanged:
        """The old card is dead, the new one on its way. TerminalError 404 and 409, also for one that was replaced."""
        customer = await known_customer(ctx, records, ctx.key())
        person = await known_person(ctx, records, ctx.key())
        now = await business_now(ctx)
        wallet = await wallet_of(ctx, customer)
        old = allowed(policy.own_card(wallet, request.card_id))
        await enforce_policy(ctx, "replace_card", policy.refuse_replacement(wallet, now.date()))
        replacement_id = ctx.uuid()
        card_id = f"CD-{replacement_id.hex[:ID_DIGITS].upper()}"
        new = policy.successor(old, card_id, ctx.random().randrange(policy.DIGITS_RANGE), now.year)
        dead = policy.replaced(old, card_id, now.date())
        # The letter is sent with the write, and nothing is awaited from here on.
        letter = policy.card_letter(old, new, person, request.reason, str(replacement_id))
        tell(ctx, DELIVER, letter, ctx.key())
        told = (
            f"Your {old.name} ({old.card_id}) is dead. A new one ending in {new.last_digits} ({card_id}) is on its way."
        )
        return write(ctx, wallet.with_card(dead), new, customer, told)


def write(ctx: restate.ObjectContext, wallet: Wallet, card: KeptCard, customer: Customer, told: str) -> CardChanged:
    ctx.set(WALLET, wallet.with_card(card))
    return policy.changed(told, card, customer)


async def wallet_of(ctx: restate.ObjectContext | restate.ObjectSharedContext, customer: Customer) -> Wallet:
    return await ctx.get(WALLET, type_hint=Wallet) or policy.first_wallet(customer.cards)
