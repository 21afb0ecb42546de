"""Contract of the loan application services: apply for a loan and read the status of applications.

Agents import only this file of the services.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from services.tools.bank.loans.contract import LoanId, Percent
from switchboard import FromIdentity, NoInput, Tool, ToolInput, quoted
from switchboard.builtin.approvals.contract import Decision
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money, format_amount
from switchboard.text import PlainText
from switchboard.words import OthersWords

LOAN_APPLICATION_SERVICE = "LoanDesk"
LOAN_APPLICATIONS = "LoanApplications"
LOAN_APPLICATION = "LoanApplication"

ANNUAL_RATE_PERCENT = Decimal("6.90")
"""Interest rate of every new loan. It is part of the consent question."""

AMOUNT_MIN = Decimal("500.00")
AMOUNT_MAX = Decimal("100000.00")
TERM_MIN_MONTHS = 6
TERM_MAX_MONTHS = 120

AUTOMATIC_MAX = Decimal("5000.00")
"""Highest amount that can be approved without staff."""

BURDEN_BAD_PERCENT = Decimal(50)
"""Payments of all loans, including the new one, as a share of the monthly income. Above this, it is declined."""

GAMBLING_BAD_PERCENT = Decimal(15)
"""Gambling as a share of the spending of ninety days. Above this, the application is declined."""

LENT_PRODUCT = "Personal loan"
"""Product name of loans that were applied for here. Their outstanding balance counts towards the limits."""

PURPOSE_MAX_CHARS = 200

ApplicationId = Annotated[
    str,
    Field(
        pattern=r"^LA-[0-9A-F]{12}$",
    ),
]
ApplicationStatus = Literal["checking", "waiting_for_staff", "approved", "declined"]
Amount = Annotated[Money, Field(gt=0, description="In the account's currency.")]
Purpose = Annotated[
    str,
    PlainText(PURPOSE_MAX_CHARS, names=True),
    Field(description="What the loan is for."),
]


class LoanRequest(PersonalInput):
    """The loan that the customer applies for."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    amount: Amount
    term_months: int = Field(ge=1)
    purpose: Purpose


class ApplicationQuery(PersonalInput):
    """Which of the customer's applications."""

    application_id: ApplicationId


class Offer(WireModel):
    """The cost of the loan. All monthly payments are equal, except that the last one may differ by a few cents."""

    annual_rate_percent: Percent
    term_months: int
    monthly_payment: Money
    total_interest: Money


class LoanFacts(WireModel):
    """What the check of an application found."""

    currency: Currency
    monthly_payment: Money


class LoanApplication(WireModel):
    """The current state of one application."""

    summary: OthersWords
    application_id: ApplicationId
    status: ApplicationStatus
    amount: Money
    currency: Currency
    purpose: OthersWords
    offer: Offer
    applied_at: AwareDatetime
    decided_at: AwareDatetime | None = None
    reason: OthersWords | None = Field(None, description="The reason for the decision; null until it is made.")
    loan_id: LoanId | None = Field(None, description="The id of the loan; null unless approved.")


class LoanApplicationList(WireModel):
    """The customer's applications."""

    summary: OthersWords
    applications: tuple[LoanApplication, ...]


def consent_to_apply(request: LoanRequest, facts: LoanFacts) -> str:
    months = "1 month" if request.term_months == 1 else f"{request.term_months} months"
    return (
        f"Apply for a loan of {format_amount(request.amount, facts.currency)} over {months} at {ANNUAL_RATE_PERCENT} %"
        f" interest per year, with payments of {format_amount(facts.monthly_payment, facts.currency)} a month? If the"
        " loan is approved, the money is paid into your checking account without another confirmation. Purpose:"
        f" {quoted(request.purpose)}"
    )


APPLY_FOR_LOAN = Tool(
    service=LOAN_APPLICATION_SERVICE,
    handler="apply_for_loan",
    purpose="Submit an application for a new loan. The customer is notified of the decision later.",
    input=LoanRequest,
    output=LoanApplication,
    consent=consent_to_apply,
    check=LoanFacts,
    label="apply for the loan",
)
GET_LOAN_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="get_loan_application",
    purpose="Get a loan application: status, offer, decision and reason.",
    input=ApplicationQuery,
    output=LoanApplication,
    keyed_by="customer_id",
    read_only=True,
)
LIST_LOAN_APPLICATIONS = Tool(
    service=LOAN_APPLICATIONS,
    handler="list_loan_applications",
    purpose="List loan applications with their status.",
    input=PersonalInput,
    output=LoanApplicationList,
    keyed_by="customer_id",
    read_only=True,
)

# Internal tools, with which these services call each other. Agents do not list them.


class Application(ToolInput):
    """A submitted application. `decide_within_seconds` is the deadline for staff, if they have to decide."""

    application_id: ApplicationId
    customer_id: str
    session_id: str
    amount: Money
    currency: Currency
    term_months: int
    purpose: str
    applied_at: AwareDatetime
    decide_within_seconds: float


class ApplicationRef(ToolInput):
    application_id: ApplicationId


class Closing(ToolInput):
    """The outcome of an application. If `decided_at` is omitted, the receiving object uses its current time."""

    application_id: ApplicationId
    approved: bool
    why: str
    decided_at: AwareDatetime | None = None
    loan_id: LoanId | None = None


class Acknowledgement(WireModel):
    changed: bool


OPEN_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="open_application",
    purpose="Store a new application and start its workflow.",
    input=Application,
    output=LoanApplication,
    keyed_by="customer_id",
    internal=True,
)
CHECK_OPEN_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="check_open_application",
    purpose="Check whether the customer may open another application.",
    input=NoInput,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)
MARK_WAITING = Tool(
    service=LOAN_APPLICATIONS,
    handler="mark_waiting",
    purpose="Mark an application as waiting for staff.",
    input=ApplicationRef,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
CLOSE_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="close_application",
    purpose="Store the outcome of an application and notify the customer.",
    input=Closing,
    output=Acknowledgement,
    keyed_by="customer_id",
    internal=True,
)
TAKE_BACK = Tool(
    service=LOAN_APPLICATION_SERVICE,
    handler="take_back",
    purpose="Undo the steps of an application that failed, and close the application.",
    input=Application,
    output=Closing,
    internal=True,
)
RUN_APPLICATION = Tool(
    service=LOAN_APPLICATION,
    handler="run",
    purpose="Check an application, get a decision, and grant the loan if it is approved.",
    input=Application,
    output=Closing,
    internal=True,
)
DECIDED_BY_STAFF = Tool(
    service=LOAN_APPLICATION,
    handler="decided",
    purpose="Receive the decision of staff.",
    input=Decision,
    output=Acknowledgement,
    internal=True,
)
