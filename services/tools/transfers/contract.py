"""What the transfers promise: money goes to another account, now or on a day to come, all of it or nothing.

Agents and other tools import this file and nothing else of the service.
"""

import datetime as dt
import re
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from services.tools.accounts.contract import REFERENCE_MAX_CHARS, AccountKind
from services.tools.calendar.contract import When, spell_when
from switchboard import FromIdentity, NoInput, Tool, ToolInput
from switchboard.messages import Wire
from switchboard.money import Currency, Money, spell

TRANSFERS = "Transfers"
SCHEDULED_TRANSFERS = "ScheduledTransfers"

NAME_MAX_CHARS = 70
IBAN_DIGITS_SHOWN = 4

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")

# What a customer is asked to confirm quotes these texts: nothing in them may look like the end of the quotation, or
# like another line of the question.
PLAIN_NAME = r"^[\w .'’&-]*$"
PLAIN_TEXT = r"^[\w .,:;!?'’&#/()+-]*$"


def one_line(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


def canonical(recipient: str) -> str:
    """An IBAN without spaces and in capitals; a customer id as it is."""
    compact = re.sub(r"\s", "", recipient)
    return compact.upper() if IBAN.fullmatch(compact.upper()) else recipient.strip()


RecipientId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._@ -]{1,64}$"),
    AfterValidator(canonical),
    Field(description="An IBAN, or the recipient's id as find_recipient gives it."),
]
Name = Annotated[
    str,
    BeforeValidator(one_line),
    StringConstraints(min_length=1, max_length=NAME_MAX_CHARS, pattern=PLAIN_NAME),
    Field(description="First and last name."),
]
Reference = Annotated[
    str,
    BeforeValidator(one_line),
    StringConstraints(max_length=REFERENCE_MAX_CHARS, pattern=PLAIN_TEXT),
    Field(description="What the recipient reads, such as the reason for the payment."),
]
ScheduleId = Annotated[str, Field(pattern=r"^T[0-9]{1,9}$", examples=["T1"])]


class RecipientQuery(ToolInput):
    """Whom to look for: the full name, the IBAN or the customer id."""

    recipient: str = Field(min_length=1, max_length=NAME_MAX_CHARS, description="Full name, IBAN or customer id.")


class Recipient(Wire):
    """A customer of this bank who can be sent money."""

    summary: str
    recipient: str = Field(description="What a transfer takes as recipient.")
    recipient_name: str
    currency: Currency


class TransferRequest(ToolInput):
    """Money from one of the customer's accounts to another customer of this bank.

    The name is there for the customer, who is asked to confirm it, and the service refuses a name that is not the
    recipient's: so what is confirmed is what is done.
    """

    customer_id: Annotated[str, FromIdentity("customer_id")]
    recipient: RecipientId
    recipient_name: Name
    amount: Money = Field(gt=0)
    currency: Currency
    account: AccountKind = Field("checking", description="The customer's own account that pays.")
    reference: Reference = ""


class OwnTransferRequest(ToolInput):
    """Money from one of the customer's own accounts to the other."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    source: AccountKind
    target: AccountKind
    amount: Money = Field(gt=0)
    currency: Currency

    @model_validator(mode="after")
    def two_accounts(self) -> Self:
        if self.source == self.target:
            raise ValueError("source and target are the same account")
        return self


class Transferred(Wire):
    """The money is on the recipient's account."""

    summary: str
    amount: Money
    currency: Currency
    recipient_name: str
    account: AccountKind = Field(description="The account that paid.")
    balance: Money = Field(description="What is on that account now.")


class ScheduleRequest(TransferRequest):
    """A transfer on a day to come."""

    session_id: Annotated[str, FromIdentity("session_id")]
    on: When


class Scheduled(Wire):
    """A transfer that waits for its day."""

    schedule_id: ScheduleId
    recipient_name: str
    amount: Money
    currency: Currency
    account: AccountKind
    reference: str
    due_at: AwareDatetime


class ScheduleKept(Wire):
    """The transfer will be made when it is due."""

    summary: str
    scheduled: Scheduled


class ScheduleList(Wire):
    """The transfers that wait for their day, the next first."""

    summary: str
    scheduled: tuple[Scheduled, ...]
    today: dt.date


class ScheduleRef(ToolInput):
    schedule_id: ScheduleId


class ScheduleCancelled(Wire):
    """The transfer will not be made."""

    summary: str
    scheduled: Scheduled


def transfer_question(request: TransferRequest) -> str:
    return f"Send {terms(request)}{quoted(request.reference)}?"


def schedule_question(request: ScheduleRequest) -> str:
    return f"Send {terms(request)} on {spell_when(request.on)}{quoted(request.reference)}?"


def own_transfer_question(request: OwnTransferRequest) -> str:
    amount = spell(request.amount, request.currency)
    return f"Move {amount} from your {request.source.capitalize()} to your {request.target.capitalize()}?"


def terms(request: TransferRequest) -> str:
    """How much, from where, to whom."""
    whom = masked(request.recipient) if IBAN.fullmatch(request.recipient) else f"customer {request.recipient}"
    amount = spell(request.amount, request.currency)
    return f"{amount} from your {request.account.capitalize()} to {request.recipient_name} ({whom})"


def masked(iban: str) -> str:
    return f"{iban[:2]}•• •••• {iban[-IBAN_DIGITS_SHOWN:]}"


def quoted(reference: str) -> str:
    return f", reference “{reference}”" if reference else ""


FIND_RECIPIENT = Tool(
    service=TRANSFERS,
    handler="find_recipient",
    purpose="Find a customer of this bank to send money to, by full name, IBAN or customer id.",
    input=RecipientQuery,
    output=Recipient,
)
TRANSFER_MONEY = Tool(
    service=TRANSFERS,
    handler="transfer_money",
    purpose="Send money now to another customer of this bank.",
    input=TransferRequest,
    output=Transferred,
    consent=transfer_question,
)
MOVE_BETWEEN_OWN_ACCOUNTS = Tool(
    service=TRANSFERS,
    handler="move_between_own_accounts",
    purpose="Move money now between the customer's own checking and savings accounts.",
    input=OwnTransferRequest,
    output=Transferred,
    consent=own_transfer_question,
)
SCHEDULE_TRANSFER = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="schedule_transfer",
    purpose="Send money to another customer of this bank on a later day, once.",
    input=ScheduleRequest,
    output=ScheduleKept,
    keyed_by="customer_id",
    consent=schedule_question,
)
LIST_SCHEDULED = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="list_scheduled",
    purpose="The customer's scheduled transfers that are still to come, with their ids.",
    input=NoInput,
    output=ScheduleList,
    keyed_by="customer_id",
)
CANCEL_SCHEDULED = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="cancel_scheduled",
    purpose="Cancel one of the customer's scheduled transfers by its id.",
    input=ScheduleRef,
    output=ScheduleCancelled,
    keyed_by="customer_id",
)

# From here on: what the service asks itself for. No agent lists these.


class Unfinished(ToolInput):
    """A transfer that was stopped between its two sides, and the awakeable that waits to hear how it ended."""

    payer_id: str
    withdrawal_id: str
    recipient_id: str
    deposit_id: str
    tell: str


class Ended(Wire):
    """`whole` when the money has arrived and stays; otherwise nothing was moved."""

    whole: bool


class Nothing(Wire):
    """There is nothing to say."""


CARRY_OUT = Tool(
    service=TRANSFERS,
    handler="carry_out",
    purpose="Make a scheduled transfer and tell the customer.",
    input=ScheduleRequest,
    output=Nothing,
)
END_TRANSFER = Tool(
    service=TRANSFERS,
    handler="end_transfer",
    purpose="Bring a transfer that was stopped to one of its two ends.",
    input=Unfinished,
    output=Nothing,
)
