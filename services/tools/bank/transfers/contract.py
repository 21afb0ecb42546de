"""Contract of the transfers: send money to another account, now or later, completely or not at all.

Agents and other tools import only this file of the service.
"""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal, Self

# Imported at the start, although that takes 0.1 s: an import that fails half way leaves the package without the check
# digits of some countries until the process ends.
import schwifty
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from services.tools.bank.accounts.contract import (
    IBAN,
    REFERENCE_MAX_CHARS,
    AccountId,
    AccountRef,
    compact_iban,
    grouped_iban,
    whole_account_phrase,
)
from switchboard import FromIdentity, Name, Resolved, Tool, ToolInput, quoted
from switchboard.builtin.calendar.contract import When, format_when
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount
from switchboard.text import NAME_MAX_CHARS, PlainText
from switchboard.words import OthersWords, OurWords

TRANSFERS = "Transfers"
SCHEDULED_TRANSFERS = "ScheduledTransfers"

TRANSFER_MAX = Decimal("5000.00")
"""Maximum of a single transfer to another person, in the currency of the account."""

DAY_MAX = Decimal("10000.00")
"""Maximum of all transfers to other people on one day (UTC), per currency, from all accounts of a customer."""

IBAN_COUNTRIES = frozenset(
    "AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MC MT NL NO PL PT RO SE SI SK".split()
)
"""Countries that money can be sent to. The length and structure of their IBANs are in the library's registry."""

# Letters of every script, and the punctuation of SEPA's names and references.
NAME_LETTERS = r"[\w .,:?'’&/()+-]*"
REFERENCE_LETTERS = r"[\w .,:;!?'’&#/()+-]*"


def normalized(recipient: str) -> str:
    """Return an IBAN in capitals without separators, or a customer id unchanged."""
    return str(compact_iban(recipient)).strip()


def valid_iban(recipient: str) -> str:
    """Reject an invalid IBAN before the customer is asked to confirm it. The check digits detect typing errors."""
    if not IBAN.fullmatch(recipient):
        return recipient
    country = recipient[:2]
    if country not in IBAN_COUNTRIES:
        raise ValueError(f"transfers to IBANs of the country {country} are not supported")
    if not schwifty.IBAN(recipient, allow_invalid=True).is_valid:
        raise ValueError("the IBAN has a wrong length or wrong check digits; ask the customer for it again")
    return recipient


RecipientId = Annotated[
    str,
    BeforeValidator(compact_iban),
    StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9._@ -]{1,64}$"),
    AfterValidator(valid_iban),
    Field(description="An IBAN, or from find_recipient."),
]
PayeeName = Annotated[str, PlainText(NAME_MAX_CHARS, names=True, pattern=NAME_LETTERS)]
Reference = Annotated[
    str,
    PlainText(REFERENCE_MAX_CHARS, pattern=REFERENCE_LETTERS),
    Field(description="Text for the recipient."),
]
ScheduleId = Annotated[str, Field(pattern=r"^T[0-9]{1,9}$")]


class RecipientQuery(PersonalInput):
    """The recipient to find: a full name, or an IBAN or customer id together with the full name."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    recipient: Annotated[Name, Field(description="Full name, IBAN or customer id.")]
    recipient_name: PayeeName | None = Field(None, description="Required with an IBAN or customer id.")


class Recipient(WireModel):
    """A customer of this bank who can receive money."""

    summary: OthersWords
    recipient: OurWords = Field(description="The value to use as the recipient of a transfer.")
    recipient_name: OthersWords
    currencies: tuple[Currency, ...]


class TransferOrder(PersonalInput):
    """A transfer that was accepted earlier: stored, or sent from one service to another.

    Its texts are not validated again, because journals and stored orders have texts that were accepted by older rules.
    """

    customer_id: Annotated[str, FromIdentity("customer_id")]
    recipient: RecipientId
    recipient_name: str
    amount: Money = Field(gt=0)
    currency: Currency
    account: AccountRef = "checking"
    reference: str = ""


class TransferRequest(TransferOrder):
    """A transfer from one of the customer's accounts to another person, at this bank or at another bank.

    The name is part of the input because the customer confirms it. At this bank, it must match the account holder's
    name, so that the money goes to the confirmed person.
    """

    recipient_name: PayeeName
    reference: Reference = ""


PayeeBank = Literal["own account", "this bank", "another bank"]


class TransferFacts(Resolved[TransferRequest]):
    """What the check of a transfer found. `call` has the paying account's id, and for an own account the own name."""

    payee_bank: PayeeBank


class OwnTransferRequest(PersonalInput):
    """A transfer between two of the customer's own accounts."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    source: AccountRef
    target: AccountRef
    amount: Money = Field(gt=0)
    currency: Currency

    @model_validator(mode="after")
    def two_accounts(self) -> Self:
        if self.source == self.target:
            raise ValueError("source and target are the same account")
        return self


class OwnTransferFacts(Resolved[OwnTransferRequest]):
    """What the check found: `call` has the ids of both accounts."""


class Transferred(WireModel):
    """A completed transfer: the money is in the recipient's account, or on its way to another bank."""

    summary: OthersWords
    amount: Money
    currency: Currency
    recipient_name: OthersWords
    account: AccountId = Field(description="The account that paid.")
    balance: Money = Field(description="The new balance of that account.")


class ScheduledTransferOrder(TransferOrder):
    """A transfer on a later day that was accepted earlier."""

    on: When


class ScheduledTransferRequest(TransferRequest, ScheduledTransferOrder):
    """A transfer on a later day."""


class ScheduledTransferFacts(Resolved[ScheduledTransferRequest]):
    """What the check found. `call` has the ids as in TransferFacts, and the exact time."""

    payee_bank: PayeeBank


class ScheduledTransfer(WireModel):
    """A pending scheduled transfer."""

    schedule_id: ScheduleId
    recipient_name: OthersWords
    amount: Money
    currency: Currency
    account: AccountRef
    reference: OthersWords
    due_at: AwareDatetime


class TransferScheduled(WireModel):
    """Confirmation that the transfer is scheduled."""

    summary: OthersWords
    scheduled: ScheduledTransfer


class ScheduledTransferList(WireModel):
    """The pending scheduled transfers, ordered by due date."""

    summary: OthersWords
    scheduled: tuple[ScheduledTransfer, ...]
    today: dt.date


class ScheduledTransferRef(PersonalInput):
    schedule_id: ScheduleId


class ScheduledTransferCancelled(WireModel):
    """Confirmation that the transfer is cancelled."""

    summary: OthersWords
    scheduled: ScheduledTransfer


def transfer_question(request: TransferRequest, facts: TransferFacts) -> str:
    return f"Send {sum_and_account(request)} {payee_phrase(request, facts.payee_bank)}?"


def schedule_question(request: ScheduledTransferRequest, facts: ScheduledTransferFacts) -> str:
    when = f"on {format_when(request.on)}"
    return f"Send {sum_and_account(request)} {when} {payee_phrase(request, facts.payee_bank)}?"


def own_transfer_question(request: OwnTransferRequest, _facts: OwnTransferFacts) -> str:
    amount, target = format_amount(request.amount, request.currency), whole_account_phrase(request.target)
    return f"Move {amount} from your {whole_account_phrase(request.source)} to your {target}?"


def sum_and_account(request: TransferOrder) -> str:
    return f"{format_amount(request.amount, request.currency)} from your {whole_account_phrase(request.account)}"


def payee_phrase(request: TransferOrder, payee_bank: PayeeBank) -> str:
    """Return who gets the money: the whole IBAN or the customer id, then the texts that people chose, in quotes."""
    where = "your own account" if payee_bank == "own account" else f"an account at {payee_bank}"
    payee = f"to {where}, {recipient_phrase(request.recipient)}, payee {quoted(request.recipient_name)}"
    return payee + reference_phrase(request.reference)


def recipient_phrase(recipient: str) -> str:
    return f"IBAN {grouped_iban(recipient)}" if IBAN.fullmatch(recipient) else f"customer {recipient}"


def reference_phrase(reference: str) -> str:
    return f", reference {quoted(reference)}" if reference else ""


FIND_RECIPIENT = Tool(
    service=TRANSFERS,
    handler="find_recipient",
    purpose="Find a customer of this bank to send money to.",
    input=RecipientQuery,
    output=Recipient,
    read_only=True,
)
TRANSFER_MONEY = Tool(
    service=TRANSFERS,
    handler="transfer_money",
    purpose="Send money now to someone else, at this bank or by IBAN at another bank.",
    input=TransferRequest,
    output=Transferred,
    consent=transfer_question,
    check=TransferFacts,
    label="transfer money",
)
MOVE_BETWEEN_OWN_ACCOUNTS = Tool(
    service=TRANSFERS,
    handler="move_between_own_accounts",
    purpose="Move money now between the customer's own accounts.",
    input=OwnTransferRequest,
    output=Transferred,
    consent=own_transfer_question,
    check=OwnTransferFacts,
    label="move money between your accounts",
)
SCHEDULE_TRANSFER = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="schedule_transfer",
    purpose="Send money to someone else once, on a later day.",
    input=ScheduledTransferRequest,
    output=TransferScheduled,
    keyed_by="customer_id",
    consent=schedule_question,
    check=ScheduledTransferFacts,
    label="schedule the transfer",
)
LIST_SCHEDULED = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="list_scheduled",
    purpose="List pending scheduled transfers.",
    input=PersonalInput,
    output=ScheduledTransferList,
    keyed_by="customer_id",
    read_only=True,
)
CANCEL_SCHEDULED = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="cancel_scheduled",
    purpose="Cancel a scheduled transfer.",
    input=ScheduledTransferRef,
    output=ScheduledTransferCancelled,
    keyed_by="customer_id",
    label="cancel the scheduled transfer",
)

# Internal tools, for other services. Agents do not list them.


class UnfinishedTransfer(ToolInput):
    """A transfer that was interrupted between its two steps.

    `tell` is the awakeable that receives the outcome. For a payment to another bank, `recipient_id` is empty and
    `deposit_id` is the id of the payment.
    """

    payer_id: str
    withdrawal_id: str
    recipient_id: str
    deposit_id: str
    tell: str


class ResolvedTransfer(WireModel):
    """What a valid transfer does, for the question of consent. The fields replace those of the request."""

    account: AccountId
    recipient: RecipientId
    recipient_name: str
    payee_bank: PayeeBank

    @property
    def fields(self) -> dict[str, str]:
        return self.model_dump(include={"account", "recipient", "recipient_name"})


class TransferOutcome(WireModel):
    """`whole` is true if the money has arrived and stays there. Otherwise no money was transferred."""

    whole: bool


class NoOutput(WireModel):
    """Empty output."""


class TransferResult(WireModel):
    """The result of a transfer, with a text for the customer."""

    made: bool
    told: str


CARRY_OUT = Tool(
    service=TRANSFERS,
    handler="carry_out",
    purpose="Make a scheduled transfer and notify the customer.",
    input=ScheduledTransferOrder,
    output=NoOutput,
    internal=True,
)
CHECK_TRANSFER = Tool(
    service=TRANSFERS,
    handler="judge_transfer",
    purpose="Check whether a transfer is valid and allowed, except for the balance and the daily limit.",
    input=TransferOrder,
    output=NoOutput,
    internal=True,
    read_only=True,
)
RESOLVE_TRANSFER = Tool(
    service=TRANSFERS,
    handler="resolve_transfer",
    purpose="Check a transfer as CHECK_TRANSFER does, before the customer is asked, and return what it does.",
    input=TransferOrder,
    output=ResolvedTransfer,
    internal=True,
    read_only=True,
)
CARRY_OUT_ORDER = Tool(
    service=TRANSFERS,
    handler="carry_out_order",
    purpose="Make one transfer of a standing order and return the result.",
    input=TransferOrder,
    output=TransferResult,
    internal=True,
)
END_TRANSFER = Tool(
    service=TRANSFERS,
    handler="end_transfer",
    purpose="Settle an interrupted transfer: undo it, or confirm that it is complete.",
    input=UnfinishedTransfer,
    output=NoOutput,
    internal=True,
)
