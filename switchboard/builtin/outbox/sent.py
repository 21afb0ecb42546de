"""The e-mails sent to a customer, each id once. Pure."""

import datetime as dt

from switchboard.builtin.outbox.contract import Delivery, Email, EmailList
from switchboard.messages import WireModel

EMAILS_KEPT = 100
"""Per customer, the latest ones. Older ids are no longer recognised, but retries come within minutes."""


class Sent(WireModel):
    """A customer's e-mails, oldest first."""

    emails: tuple[Email, ...] = ()

    def find(self, email_id: str) -> Email | None:
        return next((email for email in self.emails if email.email_id == email_id), None)


def deliver(sent: Sent, delivery: Delivery, now: dt.datetime) -> tuple[Sent, Email]:
    """Return the new state and the e-mail with that id: the earlier one if the id was already sent."""
    before = sent.find(delivery.email_id)
    if before:
        return sent, before
    email = Email(**delivery.model_dump(), sent_at=now)
    return Sent(emails=(*sent.emails, email)[-EMAILS_KEPT:]), email


def list_emails(sent: Sent) -> EmailList:
    count = len(sent.emails)
    subjects = "; ".join(email.subject for email in sent.emails)
    summary = f"{count} e-mail{'' if count == 1 else 's'} sent: {subjects}." if count else "No e-mails were sent."
    return EmailList(summary=summary, emails=sent.emails)
