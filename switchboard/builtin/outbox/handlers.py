"""Serve the outbox, one object per customer. It is a stand-in for an external mail provider.

It behaves like a provider with idempotency keys: the caller chooses the id and keeps it on retries, and a second
delivery with the same id sends nothing and returns the first result. With a real provider, `deliver` would pass the id
on as the key; nothing else here would change.
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

outbox = tool_object(OUTBOX, "Sends e-mails to a customer, once per id; the key is the customer's id.")


@implements(outbox, DELIVER)
async def deliver(ctx: restate.ObjectContext, request: Delivery) -> Email:
    """Send an e-mail. If the id was sent before, nothing is sent and the first e-mail is returned."""
    now = await business_now(ctx)
    before = await ctx.get(SENT, type_hint=Sent) or Sent()
    sent, email = outgoing.deliver(before, request, now)
    ctx.set(SENT, sent)
    return email


@implements(outbox, LIST_EMAILS, kind="shared", retained=False)
async def list_emails(ctx: restate.ObjectSharedContext, _request: NoInput) -> EmailList:
    """Return the e-mails sent to the customer, oldest first."""
    return outgoing.list_emails(await ctx.get(SENT, type_hint=Sent) or Sent())
