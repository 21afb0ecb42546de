"""Serves the outbox, one object for one customer.

It stands for an outside mail provider that takes an idempotency key. What is asked of such a provider is asked of it:
the id is the caller's, stays the same over retries, and a second delivery of one id sends nothing and is answered like
the first. With a real provider `deliver` would hand the id on as its key, and nothing else here would change.
"""

import restate

from switchboard import NoInput
from switchboard.builtin.outbox import sent as outgoing
from switchboard.builtin.outbox.contract import DELIVER, LIST_EMAILS, OUTBOX, Delivery, Email, EmailList
from switchboard.builtin.outbox.sent import Sent
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.implement import implements

SENT = "sent"

outbox = tool_object(OUTBOX, "E-mails to a customer, each id sent once; the key is the customer's id.")


@implements(outbox, DELIVER)
async def deliver(ctx: restate.ObjectContext, request: Delivery) -> Email:
    """Send an e-mail; an id that was sent before is not sent again, and answered with what was sent."""
    now = await business_now(ctx)
    before = await ctx.get(SENT, type_hint=Sent) or Sent()
    sent, email = outgoing.deliver(before, request, now)
    ctx.set(SENT, sent)
    return email


@implements(outbox, LIST_EMAILS, kind="shared")
async def list_emails(ctx: restate.ObjectSharedContext, _request: NoInput) -> EmailList:
    """What was sent to the customer, oldest first."""
    return outgoing.list_emails(await ctx.get(SENT, type_hint=Sent) or Sent())
