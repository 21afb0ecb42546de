"""Serves a customer's means to pay, and the card processor.

`PaymentMeans` is one object for one customer: it keeps every charge, and a balance is what the charges leave.

`CardProcessor` stands for a provider outside that takes an idempotency key; the key of the object is that key. Only the
provider knows whether a card is good for an amount, so whoever charges a card asks both, one after the other: the
object `PaymentMeans` never waits for the provider while it holds the customer's lock.
"""

import logging

import restate

from services.tools.demo_data.airline import airline
from services.tools.payments import policy, wallet
from services.tools.payments.contract import (
    CARD_PROCESSOR,
    NOTHING,
    PAYMENT_MEANS,
    Authorise,
    Authorised,
    Charged,
    ChargeMeans,
    MeansList,
    Refund,
    RefundCard,
    Refunded,
)
from services.tools.payments.wallet import Wallet
from services.tools.refusal import Refusal
from switchboard import NoInput
from switchboard.declare import tool_object
from switchboard.messages import Wire
from switchboard.money import Money

WALLET = "wallet"
AUTHORISATION = "authorisation"

logger = logging.getLogger(__name__)

payment_means = tool_object(PAYMENT_MEANS, "What a customer can pay with; the key is the customer's id.")
card_processor = tool_object(CARD_PROCESSOR, "Charges of credit cards; the key is the charge's idempotency key.")


class Authorisation(Wire):
    """A card's charge as the processor keeps it; `settled` once it was given back, all or in part."""

    card_token: str
    amount: Money
    currency: str
    refunded: Money = NOTHING
    settled: bool = False


@payment_means.handler(kind="shared")
async def list_payment_means(ctx: restate.ObjectSharedContext, _request: NoInput) -> MeansList:
    """All that the customer can pay with; an unknown customer has nothing."""
    return wallet.list_means(airline().customer(ctx.key()), await wallet_of(ctx))


@payment_means.handler()
async def charge(ctx: restate.ObjectContext, request: ChargeMeans) -> Charged:
    """Charge one of the customer's means, once for each id. 404 for another's, 409 when it cannot pay that amount."""
    means = policy.own_means(airline().customer(ctx.key()), request.means_id)
    if isinstance(means, Refusal):
        logger.warning("refused: customer %s asked to pay with %s, not theirs", ctx.key(), request.means_id)
        raise restate.TerminalError(means.why, status_code=means.status_code)
    before = await wallet_of(ctx)
    if request.charge_id not in before.charges:
        refusal = policy.refuse_charge(means, wallet.available(means, before), request)
        refusal = refusal or policy.refuse_full(wallet.is_full(before))
        if refusal:
            raise restate.TerminalError(refusal.why, status_code=refusal.status_code)
        ctx.set(WALLET, wallet.record(before, request))
    return Charged(card_token=means.card_token)


@payment_means.handler()
async def refund(ctx: restate.ObjectContext, request: Refund) -> Refunded:
    """Give a charge back, once for each id. Does nothing when it was never made."""
    after = wallet.give_back(await wallet_of(ctx), request)
    ctx.set(WALLET, after)
    given_back = after.charges.get(request.charge_id)
    return Refunded(amount=given_back.refunded if given_back else NOTHING)


@card_processor.handler()
async def authorise(ctx: restate.ObjectContext, request: Authorise) -> Authorised:
    """Charge a card, once for each key. 402 when the card is declined."""
    before = await ctx.get(AUTHORISATION, type_hint=Authorisation)
    if before is None:
        refusal = policy.refuse_card(airline(), request)
        if refusal:
            raise restate.TerminalError(refusal.why, status_code=refusal.status_code)
        before = Authorisation(**request.model_dump())
        ctx.set(AUTHORISATION, before)
    return Authorised(amount=before.amount)


@card_processor.handler()
async def refund_card(ctx: restate.ObjectContext, request: RefundCard) -> Refunded:
    """Give the charge back but for what is kept, once. Does nothing when it was never authorised."""
    before = await ctx.get(AUTHORISATION, type_hint=Authorisation)
    if before is None:
        return Refunded(amount=NOTHING)
    if not before.settled:
        refunded = max(NOTHING, before.amount - request.kept)
        before = before.model_copy(update={"refunded": refunded, "settled": True})
        ctx.set(AUTHORISATION, before)
    return Refunded(amount=before.refunded)


async def wallet_of(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Wallet:
    return await ctx.get(WALLET, type_hint=Wallet) or Wallet()
