"""The contract of the outbox: each e-mail id is sent once. Other tools import only this module."""

import datetime as dt

from pydantic import Field

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import WireModel

OUTBOX = "Outbox"

# Limit what one customer's outbox stores, even if an agent is manipulated.
SUBJECT_MAX_CHARS = 200
BODY_MAX_CHARS = 20_000


class Delivery(ToolInput):
    """An e-mail to send. `email_id` is the idempotency key: each id is sent once.

    Create one id per e-mail and use the same id on retries, for example with `ctx.uuid()`.
    """

    email_id: str = Field(min_length=1)
    to: str = Field(description="Address")
    subject: str = Field(max_length=SUBJECT_MAX_CHARS)
    body: str = Field(max_length=BODY_MAX_CHARS)


class Email(Delivery):
    """An e-mail that was sent."""

    sent_at: dt.datetime = Field(description="UTC")


class EmailList(WireModel):
    """The e-mails sent to one customer, oldest first."""

    summary: str
    emails: tuple[Email, ...]


# No agent lists these tools. Only other tools send e-mails, because they know the recipient and the text.
DELIVER = Tool(
    service=OUTBOX,
    handler="deliver",
    purpose="Send an e-mail to the customer, once per id.",
    input=Delivery,
    output=Email,
    keyed_by="customer_id",
    internal=True,
)
LIST_EMAILS = Tool(
    service=OUTBOX,
    handler="list_emails",
    purpose="List the e-mails sent to the customer.",
    input=NoInput,
    output=EmailList,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)
