"""What the transfers promise: money goes to another account, now or on a day to come, all of it or nothing.

Agents and other tools import this file and nothing else of the service.
"""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from services.tools.bank.accounts.contract import (
    IBAN,
    REFERENCE_MAX_CHARS,
    AccountId,
    AccountRef,
    account_title,
    masked_iban,
)
from switchboard import FromIdentity, Tool, ToolInput
from switchboard.builtin.calendar.contract import When, format_when
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount

TRANSFERS = "Transfers"
SCHEDULED_TRANSFERS = "ScheduledTransfers"

TRANSFER_MAX = Decimal("5000.00")
"""To somebody else, at once; in the currency of the account."""

DAY_MAX = Decimal("10000.00")
"""To others on one day (UTC), in one currency, from all accounts of a customer together."""

NAME_MAX_CHARS = 70

IBAN_LENGTHS = {
    "AT": 20,
    "BE": 16,
    "BG": 22,
    "CH": 21,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DK": 18,
    "EE": 20,
    "ES": 24,
    "FI": 18,
    "FR": 27,
    "GB": 22,
    "GR": 27,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IS": 26,
    "IT": 27,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "MC": 27,
    "MT": 31,
    "NL": 18,
    "NO": 15,
    "PL": 28,
    "PT": 25,
    "RO": 24,
    "SE": 24,
    "SI": 19,
    "SK": 24,
}
"""Of the countries to which money can be sent."""

IBAN_MODULUS = 97

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


def real(recipient: str) -> str:
    """Refuse an IBAN that cannot be one, before anybody is asked about it; its check digits tell slips of the pen."""
    if not IBAN.fullmatch(recipient):
        return recipient
    country = recipient[:2]
    if country not in IBAN_LENGTHS:
        raise ValueError(f"money cannot be sent to an IBAN of the country {country}")
    if len(recipient) != IBAN_LENGTHS[country] or remainder(recipient) != 1:
        raise ValueError("this is no IBAN: its length or its check digits are wrong; ask the customer for it again")
    return recipient


def remainder(iban: str) -> int:
    """By ISO 7064: 1 for every IBAN; letters count from 10."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % IBAN_MODULUS


RecipientId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._@ -]{1,64}$"),
    AfterValidator(canonical),
    AfterValidator(real),
    Field(description="An IBAN of any bank, or the id that find_recipient gives for a customer of this bank."),
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


class RecipientQuery(PersonalInput):
    """Whom to look for: the full name, or the IBAN or the customer id together with the full name."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    recipient: str = Field(min_length=1, max_length=NAME_MAX_CHARS, description="Full name, IBAN or customer id.")
    recipient_name: Name | None = Field(
        None, description="First and last name, as the customer has said it; has to be given with an IBAN or an id."
    )


class Recipient(WireModel):
    """A customer of this bank who can be sent money."""

    summary: str
    recipient: str = Field(description="What a transfer takes as recipient.")
    recipient_name: str
    currencies: tuple[Currency, ...]


class TransferRequest(PersonalInput):
    """Money from one of the customer's accounts to somebody else, at this bank or at another.

    The name is there for the customer, who is asked to confirm it. At this bank it is compared with the account's
    holder, and another name is refused: so what is confirmed is what is done.
    """

    customer_id: Annotated[str, FromIdentity("customer_id")]
    recipient: RecipientId
    recipient_name: Name
    amount: Money = Field(gt=0)
    currency: Currency
    account: AccountRef = "checking"
    reference: Reference = ""


class OwnTransferRequest(PersonalInput):
    """Money from one of the customer's own accounts to another one."""

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


class Transferred(WireModel):
    """The money is on the recipient's account, or on its way to another bank."""

    summary: str
    amount: Money
    currency: Currency
    recipient_name: str
    account: AccountId = Field(description="The account that paid.")
    balance: Money = Field(description="What is on that account now.")


class ScheduleRequest(TransferRequest):
    """A transfer on a day to come."""

    on: When


class Scheduled(WireModel):
    """A transfer that waits for its day."""

    schedule_id: ScheduleId
    recipient_name: str
    amount: Money
    currency: Currency
    account: AccountRef
    reference: str
    due_at: AwareDatetime


class ScheduleKept(WireModel):
    """The transfer will be made when it is due."""

    summary: str
    scheduled: Scheduled


class ScheduleList(WireModel):
    """The transfers that wait for their day, the next first."""

    summary: str
    scheduled: tuple[Scheduled, ...]
    today: dt.date


class ScheduleRef(PersonalInput):
    schedule_id: ScheduleId


class ScheduleCancelled(WireModel):
    """The transfer will not be made."""

    summary: str
    scheduled: Scheduled


def transfer_question(request: TransferRequest) -> str:
    return f"Send {terms(request)}{quoted(request.reference)}?"


def schedule_question(request: ScheduleRequest) -> str:
    return f"Send {terms(request)} on {format_when(request.on)}{quoted(request.reference)}?"


def own_transfer_question(request: OwnTransferRequest) -> str:
    amount = format_amount(request.amount, request.currency)
    return f"Move {amount} from your {account_title(request.source)} to your {account_title(request.target)}?"


def terms(request: TransferRequest) -> str:
    """How much, from where, to whom."""
    whom = masked_iban(request.recipient) if IBAN.fullmatch(request.recipient) else f"customer {request.recipient}"
    amount = format_amount(request.amount, request.currency)
    return f"{amount} from your {account_title(request.account)} to {request.recipient_name} ({whom})"


def quoted(reference: str) -> str:
    return f", reference “{reference}”" if reference else ""


FIND_RECIPIENT = Tool(
    service=TRANSFERS,
    handler="find_recipient",
    purpose="Find a customer of this bank to send money to, by full name, or by IBAN or customer id with the name.",
    input=RecipientQuery,
    output=Recipient,
)
TRANSFER_MONEY = Tool(
    service=TRANSFERS,
    handler="transfer_money",
    purpose="Send money now to somebody else: a customer of this bank, or an IBAN of any other bank.",
    input=TransferRequest,
    output=Transferred,
    consent=transfer_question,
)
MOVE_BETWEEN_OWN_ACCOUNTS = Tool(
    service=TRANSFERS,
    handler="move_between_own_accounts",
    purpose="Move money now between the customer's own accounts, such as checking and savings.",
    input=OwnTransferRequest,
    output=Transferred,
    consent=own_transfer_question,
)
SCHEDULE_TRANSFER = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="schedule_transfer",
    purpose="Send money to somebody else on a later day, once.",
    input=ScheduleRequest,
    output=ScheduleKept,
    keyed_by="customer_id",
    consent=schedule_question,
)
LIST_SCHEDULED = Tool(
    service=SCHEDULED_TRANSFERS,
    handler="list_scheduled",
    purpose="The customer's scheduled transfers that are still to come, with their ids.",
    input=PersonalInput,
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
    """A transfer that was stopped between its two sides, and the awakeable that waits to hear how it ended.

    `recipient_id` is empty for a payment to another bank, whose id is `deposit_id`.
    """

    payer_id: str
    withdrawal_id: str
    recipient_id: str
    deposit_id: str
    tell: str


class Ended(WireModel):
    """`whole` when the money has arrived and stays; otherwise nothing was moved."""

    whole: bool


class Nothing(WireModel):
    """There is nothing to say."""


class CarriedOut(WireModel):
    """What became of it, in words for the customer."""

    made: bool
    told: str


CARRY_OUT = Tool(
    service=TRANSFERS,
    handler="carry_out",
    purpose="Make a scheduled transfer and tell the customer.",
    input=ScheduleRequest,
    output=Nothing,
    internal=True,
)
JUDGE_TRANSFER = Tool(
    service=TRANSFERS,
    handler="judge_transfer",
    purpose="Whether a transfer could be made and may be made, the money and the limit of the day aside.",
    input=TransferRequest,
    output=Nothing,
    internal=True,
)
CARRY_OUT_ORDER = Tool(
    service=TRANSFERS,
    handler="carry_out_order",
    purpose="Make one transfer of a standing order, and say how that went.",
    input=TransferRequest,
    output=CarriedOut,
    internal=True,
)
END_TRANSFER = Tool(
    service=TRANSFERS,
    handler="end_transfer",
    purpose="Bring a transfer that was stopped to one of its two ends.",
    input=Unfinished,
    output=Nothing,
    internal=True,
)
