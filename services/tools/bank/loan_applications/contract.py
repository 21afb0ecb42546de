"""What loan applications promise: applying, and how an application stands. Agents import this and nothing else."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from services.tools.bank.loans.contract import LoanId, Percent
from switchboard import FromIdentity, Tool, ToolInput
from switchboard.builtin.approvals.contract import Decision
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Currency, Money

LOAN_DESK = "LoanDesk"
LOAN_APPLICATIONS = "LoanApplications"
LOAN_APPLICATION = "LoanApplication"

ANNUAL_RATE_PERCENT = Decimal("6.90")
"""Of every loan that is applied for here; the customer says yes to it."""

AMOUNT_MIN = Decimal("500.00")
AMOUNT_MAX = Decimal("100000.00")
TERM_MIN_MONTHS = 6
TERM_MAX_MONTHS = 120

AUTOMATIC_MAX = Decimal("5000.00")
"""More than this is never approved without staff, however good the figures are."""

BURDEN_BAD_PERCENT = Decimal(50)
"""Of the monthly income, for the payments of all loans with the new one among them."""

GAMBLING_BAD_PERCENT = Decimal(15)
"""Of what was spent in ninety days."""

LENT_PRODUCT = "Personal loan"
"""What a loan is that was applied for here; what is still owed on such loans counts in the limits of the next one."""

PURPOSE_MAX_CHARS = 200

ApplicationId = Annotated[
    str,
    Field(
        pattern=r"^LA-[0-9A-F]{12}$",
        examples=["LA-3F9A1C07B2D4"],
        description="The application's id, as apply_for_loan and list_loan_applications give it.",
    ),
]
ApplicationStatus = Literal["checking", "waiting_for_staff", "approved", "declined"]
Amount = Annotated[Money, Field(gt=0, description="How much, in the currency of the customer's account.")]
Purpose = Annotated[
    str,
    # On one line: it is shown to the customer to say yes to, and to staff.
    AfterValidator(lambda text: " ".join(text.split())),
    Field(min_length=1, max_length=PURPOSE_MAX_CHARS, description="What the loan is for, in the customer's words."),
]


class LoanRequest(PersonalInput):
    """What the customer applies for."""

    customer_id: Annotated[str, FromIdentity("customer_id")]
    amount: Amount
    term_months: int = Field(ge=1, description="In how many monthly payments it is paid back.")
    purpose: Purpose


class ApplicationQuery(PersonalInput):
    """Which of the customer's applications."""

    application_id: ApplicationId


class Offer(WireModel):
    """What the loan would cost: equal monthly payments, the last one may differ by some cents."""

    annual_rate_percent: Percent
    term_months: int
    monthly_payment: Money
    total_interest: Money


class LoanApplication(WireModel):
    """One application as it stands."""

    summary: str
    application_id: ApplicationId
    status: ApplicationStatus
    amount: Money
    currency: Currency
    purpose: str
    offer: Offer
    applied_at: AwareDatetime
    decided_at: AwareDatetime | None = None
    reason: str | None = Field(None, description="Why it was decided so; null before the decision.")
    loan_id: LoanId | None = Field(None, description="The loan, when it was approved.")


class LoanApplicationList(WireModel):
    """The customer's applications, newest first."""

    summary: str
    applications: tuple[LoanApplication, ...]


def consent_to_apply(request: LoanRequest) -> str:
    """The whole application, and what a yes leads to."""
    months = "1 month" if request.term_months == 1 else f"{request.term_months} months"
    return (
        f"Apply for a loan of {request.amount:,.2f} (in the currency of your account) over {months}"
        f" at {ANNUAL_RATE_PERCENT} % a year, for: {request.purpose}?"
        " If it is approved, the money is paid into your checking account without a further question."
    )


APPLY_FOR_LOAN = Tool(
    service=LOAN_DESK,
    handler="apply_for_loan",
    purpose="Hand in the customer's application for a new loan. Answers at once; the decision is told later.",
    input=LoanRequest,
    output=LoanApplication,
    consent=consent_to_apply,
)
GET_LOAN_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="get_loan_application",
    purpose="How one loan application of the customer stands, by its id: status, offer, decision and its reason.",
    input=ApplicationQuery,
    output=LoanApplication,
    keyed_by="customer_id",
)
LIST_LOAN_APPLICATIONS = Tool(
    service=LOAN_APPLICATIONS,
    handler="list_loan_applications",
    purpose="The customer's loan applications with their status, newest first.",
    input=PersonalInput,
    output=LoanApplicationList,
    keyed_by="customer_id",
)

# From here on: what these services say to each other. No agent lists these.


class Application(ToolInput):
    """An application on its way. `decide_within_seconds` is what staff have, should it come to them."""

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
    """How an application ended. `decided_at` is the object's own now when it is left out."""

    application_id: ApplicationId
    approved: bool
    why: str
    decided_at: AwareDatetime | None = None
    loan_id: LoanId | None = None


class Done(WireModel):
    changed: bool


OPEN_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="open_application",
    purpose="Note an application and set it going.",
    input=Application,
    output=LoanApplication,
    keyed_by="customer_id",
    internal=True,
)
MARK_WAITING = Tool(
    service=LOAN_APPLICATIONS,
    handler="mark_waiting",
    purpose="Note that an application waits for staff.",
    input=ApplicationRef,
    output=Done,
    keyed_by="customer_id",
    internal=True,
)
CLOSE_APPLICATION = Tool(
    service=LOAN_APPLICATIONS,
    handler="close_application",
    purpose="Note how an application ended, and tell the customer.",
    input=Closing,
    output=Done,
    keyed_by="customer_id",
    internal=True,
)
TAKE_BACK = Tool(
    service=LOAN_DESK,
    handler="take_back",
    purpose="Undo what was done for an application that could not be finished, and close it.",
    input=Application,
    output=Closing,
    internal=True,
)
RUN_APPLICATION = Tool(
    service=LOAN_APPLICATION,
    handler="run",
    purpose="Check an application, have it decided, and grant the loan.",
    input=Application,
    output=Closing,
    internal=True,
)
DECIDED_BY_STAFF = Tool(
    service=LOAN_APPLICATION,
    handler="decided",
    purpose="Take in what staff decided.",
    input=Decision,
    output=Done,
    internal=True,
)
