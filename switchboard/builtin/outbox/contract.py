"""What the outbox promises: an e-mail with an id is sent once. Other tools import this and nothing else of it."""

import datetime as dt

from pydantic import Field

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import WireModel

OUTBOX = "Outbox"

# Bounds what one customer's outbox stores, whatever an agent is talked into.
SUBJECT_MAX_CHARS = 200
BODY_MAX_CHARS = 20_000


class Delivery(ToolInput):
    """An e-mail to be sent. `email_id` is the idempotency key: the same id is sent once, however often it is asked for.

    Choose it once for each e-mail and keep it over retries, as `ctx.uuid()` does.
    """

    email_id: str = Field(min_length=1)
    to: str = Field(description="Address")
    subject: str = Field(max_length=SUBJECT_MAX_CHARS)
    body: str = Field(max_length=BODY_MAX_CHARS)


class Email(Delivery):
    """An e-mail that was sent."""

    sent_at: dt.datetime = Field(description="UTC")


class EmailList(WireModel):
    """What was sent to one customer, oldest first."""

    summary: str
    emails: tuple[Email, ...]


# No agent lists these: an e-mail leaves only as the outcome of a tool that knows what to write, and to whom.
DELIVER = Tool(
    service=OUTBOX,
    handler="deliver",
    purpose="Send an e-mail to the customer, once for each id.",
    input=Delivery,
    output=Email,
    keyed_by="customer_id",
    internal=True,
)
LIST_EMAILS = Tool(
    service=OUTBOX,
    handler="list_emails",
    purpose="The e-mails that were sent to the customer.",
    input=NoInput,
    output=EmailList,
    keyed_by="customer_id",
    internal=True,
)
