"""Handlers of the cards service: one Restate object per customer, with one write per change.

Until the first change, the cards come from the bank's records. After it, they come from the object's own state. The
handler that replaces a card also sends the e-mail that announces the new one, so neither happens without the other.
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
    CardFacts,
    CardLimits,
    CardList,
    LimitFacts,
    ReplaceCard,
    UnfreezeCard,
)
from services.tools.bank.cards.policy import StoredCard, Wallet
from services.tools.bank.lookups import BankRecords, known_customer, known_person
from services.tools.bank.records import Customer
from switchboard import checks, implements
from switchboard.builtin.outbox.contract import DELIVER
from switchboard.contract import PersonalInput
from switchboard.money import format_amount
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, send_tool

WALLET = "wallet"
ID_DIGITS = 8
"""Hex digits in the id of a new card. The cards of the demo data have four."""


def cards_object(records: BankRecords) -> restate.VirtualObject:
    """Build the object. `records` has the customers, and the addresses for e-mails and letters."""
    cards = tool_object(CARDS, "Debit and credit cards of one customer. The key is the customer's id.")
    add_freezing(cards, records)
    add_changes(cards, records)
    return cards


def add_freezing(cards: restate.VirtualObject, records: BankRecords) -> None:
    """Add the handlers that list, freeze and unfreeze cards."""

    @implements(cards, LIST_CARDS, kind="shared")
    async def list_cards(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> CardList:
        """Return all cards that were not replaced."""
        customer = await known_customer(ctx, records, ctx.key())
        return policy.card_list(await wallet_of(ctx, customer), customer)

    @implements(cards, FREEZE_CARD)
    async def freeze_card(ctx: restate.ObjectContext, request: CardChoice) -> CardChanged:
        """Freeze a card. Freezing it again has no effect. Raises TerminalError 404 or 409."""
        customer = await known_customer(ctx, records, ctx.key())
        wallet = await wallet_of(ctx, customer)
        card = allowed(policy.find_card(wallet, request)).model_copy(update={"frozen": True})
        summary = f"Your {card.name} ({card.card_id}) is frozen. It cannot be used until you unfreeze it."
        return write(ctx, wallet, card, customer, summary)

    @checks(cards, UNFREEZE_CARD)
    async def check_unfreeze_card(ctx: restate.ObjectSharedContext, request: UnfreezeCard) -> CardFacts:
        """Return the card. Raises the errors of `unfreeze_card`."""
        wallet = await wallet_of(ctx, await known_customer(ctx, records, ctx.key()))
        return policy.facts(allowed(policy.own_card(wallet, request.card_id)))

    @implements(cards, UNFREEZE_CARD)
    async def unfreeze_card(ctx: restate.ObjectContext, request: UnfreezeCard) -> CardChanged:
        """Unfreeze a card. Raises TerminalError 404 or 409."""
        customer = await known_customer(ctx, records, ctx.key())
        wallet = await wallet_of(ctx, customer)
        card = allowed(policy.own_card(wallet, request.card_id)).model_copy(update={"frozen": False})
        return write(ctx, wallet, card, customer, f"Your {card.name} ({card.card_id}) can be used again.")


def add_changes(cards: restate.VirtualObject, records: BankRecords) -> None:
    """Add the handlers that change limits and replace cards."""

    @checks(cards, CHANGE_CARD_LIMITS)
    async def check_limits(ctx: restate.ObjectSharedContext, request: CardLimits) -> LimitFacts:
        """Return the card with its present limits. Raises the errors of `change_card_limits`."""
        customer = await known_customer(ctx, records, ctx.key())
        card, currency = allowed_limits(await wallet_of(ctx, customer), customer, request)
        await enforce_policy(ctx, "change_card_limits", policy.refuse_limits(card, request), checking=True)
        return policy.limit_facts(card, currency)

    @implements(cards, CHANGE_CARD_LIMITS)
    async def change_card_limits(ctx: restate.ObjectContext, request: CardLimits) -> CardChanged:
        """Change a card's limits. Raises TerminalError 404 or 409."""
        customer = await known_customer(ctx, records, ctx.key())
        wallet = await wallet_of(ctx, customer)
        card, _ = allowed_limits(wallet, customer, request)
        await enforce_policy(ctx, "change_card_limits", policy.refuse_limits(card, request))
        card = policy.with_limits(card, request)
        day_limit = format_amount(card.day_limit, request.currency)
        cash_limit = format_amount(card.cash_limit, request.currency)
        limits = f"{day_limit} a day, including up to {cash_limit} in cash"
        return write(ctx, wallet, card, customer, f"Your {card.name} ({card.card_id}) can be used for {limits}.")

    @checks(cards, REPLACE_CARD)
    async def check_replace_card(ctx: restate.ObjectSharedContext, request: ReplaceCard) -> CardFacts:
        """Return the card. Raises the errors of `replace_card`."""
        await known_person(ctx, records, ctx.key())
        now = await business_now(ctx)
        wallet = await wallet_of(ctx, await known_customer(ctx, records, ctx.key()))
        card = allowed(policy.own_card(wallet, request.card_id))
        refused = policy.refuse_replacement(wallet, now.date())
        await enforce_policy(ctx, "replace_card", refused, checking=True)
        return policy.facts(card)

    @implements(cards, REPLACE_CARD)
    async def replace_card(ctx: restate.ObjectContext, request: ReplaceCard) -> CardChanged:
        """Replace a card and send an e-mail about the new one.

        Raises TerminalError 404 or 409, also if the card was already replaced.
        """
        customer = await known_customer(ctx, records, ctx.key())
        person = await known_person(ctx, records, ctx.key())
        now = await business_now(ctx)
        wallet = await wallet_of(ctx, customer)
        old = allowed(policy.own_card(wallet, request.card_id))
        await enforce_policy(ctx, "replace_card", policy.refuse_replacement(wallet, now.date()))
        replacement_id = ctx.uuid()
        card_id = f"CD-{replacement_id.hex[:ID_DIGITS].upper()}"
        new = policy.replacement_card(old, card_id, ctx.random().randrange(policy.DIGITS_RANGE), now.year)
        replaced = policy.mark_replaced(old, card_id, now.date())
        # Nothing is awaited between the e-mail and the write, so a cancellation cannot separate them.
        email = policy.replacement_email(old, new, person, request.reason, str(replacement_id))
        send_tool(ctx, DELIVER, email, ctx.key())
        summary = (
            f"Your {old.name} ({old.card_id}) can no longer be used. A new card ending in {new.last_digits} ({card_id})"
            " is on its way."
        )
        return write(ctx, wallet.with_card(replaced), new, customer, summary)


def allowed_limits(wallet: Wallet, customer: Customer, request: CardLimits) -> tuple[StoredCard, str]:
    """Return the card and its currency. Raises TerminalError if the limits are in another currency."""
    card = allowed(policy.own_card(wallet, request.card_id))
    currency = customer.currency_of(card.account)
    allowed(policy.refuse_currency(currency, request))
    return card, currency


def write(
    ctx: restate.ObjectContext, wallet: Wallet, card: StoredCard, customer: Customer, summary: str
) -> CardChanged:
    ctx.set(WALLET, wallet.with_card(card))
    return policy.card_changed(summary, card, customer)


async def wallet_of(ctx: restate.ObjectContext | restate.ObjectSharedContext, customer: Customer) -> Wallet:
    return await ctx.get(WALLET, type_hint=Wallet) or policy.first_wallet(customer.cards)
