"""Handlers of the payment network: one Restate object per payment.

It simulates an external system with idempotency keys; the object's key is that key. For a real system, `submit` would
pass the key on inside `ctx.run_typed`, and that system would decide on rejections and cancellations.
"""

import restate

from services.tools.bank.payment_network import policy
from services.tools.bank.payment_network.contract import (
    CALL_OFF_PAYMENT,
    PAYMENT_NETWORK,
    SUBMIT_PAYMENT,
    CalledOff,
    CallOff,
    OutsidePayment,
    Submitted,
)
from switchboard import implements
from switchboard.messages import WireModel
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.rpc import allowed

PAYMENT = "payment"
CALLED_OFF = "called_off"

payment_network = tool_object(PAYMENT_NETWORK, "Payments to other banks; the key is the payment's idempotency key.")


class SentPayment(WireModel):
    """A payment that was sent."""

    payment: OutsidePayment
    submitted: Submitted


@implements(payment_network, SUBMIT_PAYMENT)
async def submit(ctx: restate.ObjectContext, payment: OutsidePayment) -> Submitted:
    """Send the payment once. Raises TerminalError 409 if it was cancelled, 422 if the recipient's bank rejects it."""
    before = await ctx.get(PAYMENT, type_hint=SentPayment)
    if before is not None:
        return before.submitted
    if await ctx.get(CALLED_OFF, type_hint=bool):
        raise restate.TerminalError("This payment was cancelled. Please start a new payment.", status_code=409)
    allowed(policy.refuse_payment(payment))
    submitted = Submitted(at=await business_now(ctx))
    ctx.set(PAYMENT, SentPayment(payment=payment, submitted=submitted))
    return submitted


@implements(payment_network, CALL_OFF_PAYMENT)
async def call_off(ctx: restate.ObjectContext, _: CallOff) -> CalledOff:
    """Cancel the payment, and return whether it had already been sent."""
    if await ctx.get(PAYMENT, type_hint=SentPayment) is not None:
        return CalledOff(sent=True)
    ctx.set(CALLED_OFF, True)
    return CalledOff(sent=False)
