"""What the loans service promises. Agents import this file and nothing else of the service."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.tools.bank.accounts.contract import AccountRef, account_title
from switchboard import FromIdentity, Tool, ToolInput
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import CENT, Currency, Money, format_amount

SCHEDULE_PAYMENTS_DEFAULT = 12
SCHEDULE_PAYMENTS_MAX = 60
"""Payments in one answer; so many still fit into what a model is fed of one result."""

LOAN_REPAYMENTS = "LoanRepayments"

FEE_PERCENT = Decimal("1.00")
FEE_SHORT_PERCENT = Decimal("0.50")
"""Of the amount that is repaid early: the second one when at most SHORT_PAYMENTS are left."""

SHORT_PAYMENTS = 12
EARLY_MIN = Decimal("100.00")

Percent = Annotated[Decimal, Field(ge=0, decimal_places=2), AfterValidator(lambda rate: rate.quantize(CENT))]

LoanId = Annotated[
    str,
    Field(
        pattern=r"^LN-([0-9]{4}|[0-9A-F]{12})$",
        examples=["LN-2041"],
        description="The loan's id, as list_loans gives it.",
    ),
]

LoanStatus = Literal["active", "in_arrears", "paid_off"]


LoanProduct = Literal["car", "student", "home", "personal"]


class LoanChoice(PersonalInput):
    """Which of the customer's loans: by its id or by what it is for; neither where there is only one."""

    loan_id: LoanId | None = None
    product: LoanProduct | None = Field(None, description="What the loan is for, instead of its id.")


class ScheduleQuery(LoanChoice):
    """Which part of a loan's repayment plan to show."""

    first: int | None = Field(None, ge=1, description="Number of the first payment to list; the next one if left out.")
    limit: int = Field(SCHEDULE_PAYMENTS_DEFAULT, ge=1, le=SCHEDULE_PAYMENTS_MAX, description="How many to list.")


class RepaymentQuery(LoanChoice):
    """What to repay early; all that is outstanding when no amount is given."""

    amount: Money | None = Field(None, gt=0, description="How much of it to repay, fee not counted.")


class Loan(WireModel):
    """One loan that is paid back in equal monthly payments."""

    loan_id: LoanId
    product: str
    status: LoanStatus
    principal: Money = Field(description="What was borrowed.")
    outstanding: Money = Field(description="What is still to be paid back, without future interest.")
    overdue: Money = Field(description="Sum of the payments that are due and were not made.")
    annual_rate_percent: Percent
    term_months: int
    paid_months: int
    monthly_payment: Money
    next_payment_on: date | None = Field(description="Null when no further payment will fall due.")
    currency: Currency


class CreditLine(WireModel):
    """One credit card or line of credit."""

    credit_line_id: str
    product: str
    credit_limit: Money
    used: Money
    available: Money
    annual_rate_percent: Percent
    minimum_payment: Money = Field(description="What has to be paid each month at least, at the used amount.")
    next_payment_on: date | None = Field(description="Null when nothing is used.")
    currency: Currency


class LoanOverview(WireModel):
    """All loans and credit lines of one customer."""

    summary: str
    loans: tuple[Loan, ...]
    credit_lines: tuple[CreditLine, ...]
    total_outstanding: Money = Field(description="Outstanding loans and used credit together.")
    total_monthly_payment: Money = Field(description="Monthly payments and minimum payments, paid-off loans left out.")
    currency: Currency


class ScheduledPayment(WireModel):
    """One payment of a plan."""

    number: int
    due_on: date
    payment: Money
    interest: Money
    principal: Money
    remaining: Money = Field(description="Still outstanding after this payment.")


class LoanSchedule(WireModel):
    """Payments of one loan's repayment plan, in order, from the first unpaid one where nothing else was asked for."""

    summary: str
    loan_id: LoanId
    product: str
    payments_total: int
    remaining_payments: int = Field(description="All that are still to be paid, also those not listed.")
    payments: tuple[ScheduledPayment, ...]
    interest_to_come: Money = Field(description="Of all payments that are still to be made.")
    ends_on: date
    currency: Currency


class RepaymentQuote(WireModel):
    """What an early repayment would cost today, and what it would change."""

    summary: str
    loan_id: LoanId
    amount: Money
    fee: Money
    total: Money = Field(description="What leaves the account: the amount and the fee.")
    outstanding_after: Money
    payments_saved: int
    interest_saved: Money
    currency: Currency


class RepayEarly(PersonalInput):
    """An early repayment, as quote_early_repayment has said what it costs.

    The fee is there for the customer, who is asked to confirm it; another one than the bank's is refused.
    """

    customer_id: Annotated[str, FromIdentity("customer_id")]
    loan_id: LoanId
    amount: Money = Field(gt=0, description="How much of it to repay, fee not counted.")
    fee: Money = Field(ge=0, description="As quote_early_repayment has said it.")
    currency: Currency
    account: AccountRef = "checking"


class RepaidEarly(WireModel):
    """The loan is reduced and the money was taken."""

    summary: str
    loan_id: LoanId
    amount: Money
    fee: Money
    outstanding: Money
    remaining_payments: int
    ends_on: date | None = Field(description="The last payment; null when nothing is left to be paid.")
    balance: Money = Field(description="What is on the account now.")
    currency: Currency


def repayment_question(request: RepayEarly) -> str:
    amount, fee = format_amount(request.amount, request.currency), format_amount(request.fee, request.currency)
    total = format_amount(request.amount + request.fee, request.currency)
    return (
        f"Repay {amount} of your loan {request.loan_id} early, with a fee of {fee}: {total} from your"
        f" {account_title(request.account)}?"
    )


LIST_LOANS = Tool(
    service="Loans",
    handler="list_loans",
    purpose="The customer's outstanding loans, credit lines and credit cards: what is owed, rate, monthly payment.",
    input=PersonalInput,
    output=LoanOverview,
    keyed_by="customer_id",
)

GET_LOAN_SCHEDULE = Tool(
    service="Loans",
    handler="get_loan_schedule",
    purpose="The repayment plan of one of the customer's loans: each payment with its interest and principal, and what"
    " is left after it.",
    input=ScheduleQuery,
    output=LoanSchedule,
    keyed_by="customer_id",
)

QUOTE_EARLY_REPAYMENT = Tool(
    service="Loans",
    handler="quote_early_repayment",
    purpose="What it would cost to repay one of the customer's loans early, all or part of it, and what it saves.",
    input=RepaymentQuery,
    output=RepaymentQuote,
    keyed_by="customer_id",
)

REPAY_LOAN_EARLY = Tool(
    service=LOAN_REPAYMENTS,
    handler="repay_loan_early",
    purpose="Repay one of the customer's loans early, all of it or a part, with the fee that was quoted.",
    input=RepayEarly,
    output=RepaidEarly,
    consent=repayment_question,
)

# From here on: what other tools ask the object `Loans` for. No agent lists these.


class GrantLoan(ToolInput):
    """A loan that was approved. `loan_id` is the idempotency key: the same id is granted once."""

    loan_id: LoanId
    product: str
    principal: Money
    annual_rate_percent: Percent
    term_months: int
    granted_on: date


class LoanGranted(WireModel):
    loan_id: LoanId
    first_payment_on: date


class RevokeLoan(ToolInput):
    """Which granted loan to take back."""

    loan_id: LoanId


class LoanRevoked(WireModel):
    revoked: bool = Field(description="False when there was no such loan.")


GRANT_LOAN = Tool(
    service="Loans",
    handler="grant_loan",
    purpose="Add an approved loan to the customer's loans, once for each id.",
    input=GrantLoan,
    output=LoanGranted,
    keyed_by="customer_id",
    internal=True,
)

REVOKE_LOAN = Tool(
    service="Loans",
    handler="revoke_loan",
    purpose="Take back a loan that was granted and could not be paid out.",
    input=RevokeLoan,
    output=LoanRevoked,
    keyed_by="customer_id",
    internal=True,
)


class Reduce(ToolInput):
    """An early repayment for the books. `repayment_id` is the idempotency key: the same id reduces once.

    `after_payments` is how many payments had been made when it was judged: a payment that falls due in between would
    change what it costs.
    """

    repayment_id: str
    loan_id: LoanId
    amount: Money = Field(gt=0)
    fee: Money
    after_payments: int


class Reduced(WireModel):
    """The loan as it stands with the repayment."""

    outstanding: Money
    remaining_payments: int
    ends_on: date | None


class RepaymentRef(ToolInput):
    repayment_id: str


class ReductionUndone(WireModel):
    undone: bool = Field(description="False when it was never made; from now on it never will be.")


class EarlyTerms(WireModel):
    """What an early repayment was judged by, and what it would cost."""

    quote: RepaymentQuote
    after_payments: int


JUDGE_EARLY_REPAYMENT = Tool(
    service="Loans",
    handler="judge_early_repayment",
    purpose="Whether a loan may be repaid early, and what it costs.",
    input=RepayEarly,
    output=EarlyTerms,
    keyed_by="customer_id",
    internal=True,
)
REDUCE_LOAN = Tool(
    service="Loans",
    handler="reduce_loan",
    purpose="Book an early repayment on the loan, once for each id.",
    input=Reduce,
    output=Reduced,
    keyed_by="customer_id",
    internal=True,
)
UNDO_REDUCTION = Tool(
    service="Loans",
    handler="undo_reduction",
    purpose="Take an early repayment back, or see to it that it never happens.",
    input=RepaymentRef,
    output=ReductionUndone,
    keyed_by="customer_id",
    internal=True,
)
