"""Shows the e-mails that the tools have sent, read from the outbox's state through Restate's SQL."""

from collections.abc import Sequence
from textwrap import indent

import aiohttp
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from switchboard.builtin.outbox.contract import OUTBOX, Email
from switchboard.client import MeshUnavailable
from switchboard.local.restate_server import Admin, AdminError


class _Row(BaseModel):
    service_key: str
    value_utf8: str


class _Sent(BaseModel):
    """The fields of an outbox's state that we show."""

    emails: tuple[Email, ...]


async def sent_emails(admin: Admin, customer_id: str | None = None) -> list[Email]:
    """Return the e-mails to one customer, or to all, oldest first. Raises MeshUnavailable."""
    try:
        rows = await admin.query(
            f"select service_key, value_utf8 from state where service_name = '{OUTBOX}' and key = 'sent'"
        )
    except (AdminError, aiohttp.ClientError) as error:
        raise MeshUnavailable(f"Cannot reach Restate at {admin.url} ({error}). Is `switchboard up` running?") from error
    outboxes = [_Row.model_validate(row) for row in rows]
    emails = [
        email
        for outbox in outboxes
        if customer_id in {None, outbox.service_key}
        for email in _Sent.model_validate_json(outbox.value_utf8).emails
    ]
    return sorted(emails, key=lambda email: email.sent_at)


def show(emails: Sequence[Email], console: Console) -> None:
    for email in emails:
        console.print(Text.assemble(("Sent     ", "dim"), f"{email.sent_at.astimezone():%Y-%m-%d %H:%M:%S}"))
        console.print(Text.assemble(("To       ", "dim"), email.to))
        console.print(Text.assemble(("Subject  ", "dim"), (email.subject, "bold")))
        console.print()
        console.print(Text(indent(email.body, " " * 9)))
        console.print()
    if not emails:
        console.print("No e-mails have been sent.", style="dim")
