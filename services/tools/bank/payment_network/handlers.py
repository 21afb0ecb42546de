"""Serves the payment network, one object for one payment.

It stands for an outside system that takes an idempotency key, and that key is the object's. With a real one `submit`
would hand it on inside `ctx.run_typed`; the refusals, and what may be called off, would be that system's to say.
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
    """A payment as it has left."""

    payment: OutsidePayment
    submitted: Submitted


@implements(payment_network, SUBMIT_PAYMENT)
async def submit(ctx: restate.ObjectContext, payment: OutsidePayment) -> Submitted:
    """Send it, once. TerminalError 409 when it was called off, 422 when the recipient's bank refuses it."""
    before = await ctx.get(PAYMENT, type_hint=SentPayment)
    if before is not None:
        return before.submitted
    if await ctx.get(CALLED_OFF, type_hint=bool):
        raise restate.TerminalError("This payment was called off before; start a new one.", status_code=409)
    allowed(policy.refuse_payment(payment))
    submitted = Submitted(at=await business_now(ctx))
    ctx.set(PAYMENT, SentPayment(payment=payment, submitted=submitted))
    return submitted


@implements(payment_network, CALL_OFF_PAYMENT)
async def call_off(ctx: restate.ObjectContext, _: CallOff) -> CalledOff:
    """Whether it had left before: what has not, never will."""
    if await ctx.get(PAYMENT, type_hint=SentPayment) is not None:
        return CalledOff(sent=True)
    ctx.set(CALLED_OFF, True)
    return CalledOff(sent=False)
