"""Serve the card processor, a stand-in for an external provider. The object's key is the idempotency key.

Only the provider knows whether a card covers an amount. A real provider would get the same key; nothing else here would
change.
"""

from decimal import Decimal

import restate

from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.payments.contract import (
    AUTHORISE_CARD,
    CARD_PROCESSOR,
    CREDIT_CARD,
    VOID_CARD,
    CardMovement,
    Moved,
)
from switchboard import NoInput, implements
from switchboard.messages import WireModel
from switchboard.money import Money
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.rpc import last_word

MOVEMENT = "movement"
ZERO = Decimal("0.00")
PAYMENT_REQUIRED = 402


class Movement(WireModel):
    """The charge or refund that was made under this key."""

    card_token: str
    amount: Money


class Answer(WireModel):
    """The provider's answer to a charge: why it was declined, or empty."""

    declined: str


ANSWER = restate.RunOptions[Answer](type_hint=Answer)


def provider_says(data: AirlineData, payment_id: str) -> Answer:
    return Answer(declined=data.extras.declined_cards.get(payment_id, ""))


def card_processor_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object. `data` lists the cards that the provider declines."""
    card_processor = tool_object(CARD_PROCESSOR, "Charges of credit cards; the key is the idempotency key.")

    @implements(card_processor, AUTHORISE_CARD)
    async def authorise(ctx: restate.ObjectContext, request: CardMovement) -> Moved:
        """Charge a card, once per key. 402 if the card is declined."""
        made = await ctx.get(MOVEMENT, type_hint=Movement)
        if made is None:
            payment_id = request.card_token.rpartition("/")[2]
            charged = ctx.run_typed("provider", provider_says, ANSWER, data, payment_id)
            # The provider charges the card during this call, so a cancellation must not end it half-way.
            await last_word(charged)
            answer = await charged
            if answer.declined:
                raise restate.TerminalError(
                    f"{payment_id} was declined: {answer.declined}. Please choose another payment method.",
                    status_code=PAYMENT_REQUIRED,
                )
            made = Movement(card_token=request.card_token, amount=request.amount)
            ctx.set(MOVEMENT, made)
        return Moved(amount=made.amount)

    @implements(card_processor, VOID_CARD)
    async def void(ctx: restate.ObjectContext, _request: NoInput) -> Moved:
        """Void the charge. Does nothing if it was never made."""
        made = await ctx.get(MOVEMENT, type_hint=Movement)
        if made is not None:
            made = made.model_copy(update={"amount": ZERO})
            ctx.set(MOVEMENT, made)
        return Moved(amount=ZERO)

    @implements(card_processor, CREDIT_CARD)
    async def credit(ctx: restate.ObjectContext, request: CardMovement) -> Moved:
        """Refund an amount to a card, once per key."""
        made = await ctx.get(MOVEMENT, type_hint=Movement)
        if made is None:
            made = Movement(card_token=request.card_token, amount=-request.amount)
            ctx.set(MOVEMENT, made)
        return Moved(amount=made.amount)

    return card_processor
