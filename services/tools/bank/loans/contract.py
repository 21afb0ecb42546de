"""Contract of the loans service: its tools, inputs and outputs. Agents import only this file of the service."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.tools.bank.accounts.contract import AccountId, AccountRef, whole_account_phrase
from switchboard import FromIdentity, Resolved, Tool, ToolInput
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel, added_later
from switchboard.money import CENT, Currency, Money, format_amount
from switchboard.words import OurWords

SCHEDULE_PAYMENTS_DEFAULT = 12
SCHEDULE_PAYMENTS_MAX = 60
"""Maximum number of payments in one result, so that the result stays below the size limit of a tool result."""

LOAN_REPAYMENTS = "LoanRepayments"

FEE_PERCENT = Decimal("1.00")
FEE_SHORT_PERCENT = Decimal("0.50")
"""Fee as a percentage of the amount repaid early. FEE_SHORT_PERCENT applies if at most SHORT_PAYMENTS are left."""

SHORT_PAYMENTS = 12
EARLY_MIN = Decimal("100.00")

Percent = Annotated[Decimal, Field(ge=0, decimal_places=2), AfterValidator(lambda rate: rate.quantize(CENT))]

LoanId = Annotated[
    str,
    Field(
        pattern=r"^LN-([0-9]{4}|[0-9A-F]{12})$",
        examples=["LN-2041"],
    ),
]

LoanStatus = Literal["active", "in_arrears", "paid_off"]


LoanProduct = Literal["car", "student", "home", "personal"]


class LoanChoice(PersonalInput):
    """Which of the customer's loans, by id or by purpose. Neither is needed if the customer has only one loan."""

    loan_id: LoanId | None = None
    product: LoanProduct | None = Field(None, description="Instead of the id.")


class ScheduleQuery(LoanChoice):
    """The part of a loan's repayment plan to show."""

    first: int | None = Field(None, ge=1, description="Default: the next unpaid payment.")
    limit: int = Field(SCHEDULE_PAYMENTS_DEFAULT, ge=1, le=SCHEDULE_PAYMENTS_MAX)


class RepaymentQuery(LoanChoice):
    """The loan and the amount to repay early."""

    amount: Money | None = Field(None, gt=0, description="Without the fee. Default: the outstanding balance.")


class Loan(WireModel):
    """One loan that is paid back in equal monthly payments."""

    loan_id: LoanId
    product: OurWords
    status: LoanStatus
    principal: Money = Field(description="The amount that was borrowed.")
    outstanding: Money = Field(description="The balance still owed, without future interest.")
    overdue: Money = Field(description="Total of the payments that are due but were not made.")
    annual_rate_percent: Percent
    term_months: int
    paid_months: int
    monthly_payment: Money
    next_payment_on: date | None = Field(description="Null if there are no more payments.")
    currency: Currency


class CreditLine(WireModel):
    """One credit card or line of credit."""

    credit_line_id: OurWords
    product: OurWords
    credit_limit: Money
    used: Money
    available: Money
    annual_rate_percent: Percent
    minimum_payment: Money = Field(description="The minimum monthly payment for the used amount.")
    next_payment_on: date | None = Field(description="Null if no credit is used.")
    currency: Currency


class LoanOverview(WireModel):
    """All loans and credit lines of one customer."""

    summary: OurWords
    loans: tuple[Loan, ...]
    credit_lines: tuple[CreditLine, ...]
    total_outstanding: Money = Field(description="Outstanding loans plus used credit.")
    total_monthly_payment: Money = Field(description="Monthly payments plus minimum payments, without paid-off loans.")
    currency: Currency


class ScheduledPayment(WireModel):
    """One payment of a repayment plan."""

    number: int
    due_on: date
    payment: Money
    interest: Money
    principal: Money
    remaining: Money = Field(description="The balance still owed after this payment.")


class LoanSchedule(WireModel):
    """Payments of one loan's repayment plan, in order."""

    summary: OurWords
    loan_id: LoanId
    product: OurWords
    payments_total: int
    remaining_payments: int = Field(description="Number of all unpaid payments, including those not listed.")
    payments: tuple[ScheduledPayment, ...]
    interest_to_come: Money = Field(description="Total interest of all unpaid payments.")
    ends_on: date
    currency: Currency


class RepaymentQuote(WireModel):
    """The cost of an early repayment today, and its effect on the loan."""

    summary: OurWords
    loan_id: LoanId
    amount: Money
    fee: Money
    total: Money = Field(description="The amount plus the fee.")
    outstanding_after: Money
    payments_saved: int
    interest_saved: Money
    currency: Currency


class RepayEarly(PersonalInput):
    """An early repayment with the fee that quote_early_repayment returned.

    The fee is part of the input because the customer confirms it. Any other fee than the bank's is refused.
    """

    customer_id: Annotated[str, FromIdentity("customer_id")]
    loan_id: LoanId
    amount: Money = Field(gt=0, description="Without the fee.")
    fee: Money = Field(ge=0)
    currency: Currency
    account: AccountRef = "checking"


class RepayEarlyFacts(Resolved[RepayEarly]):
    """What the check found: `call` has the paying account's id."""

    product: str


class RepaidEarly(WireModel):
    """A completed early repayment, and the loan after it."""

    summary: OurWords
    loan_id: LoanId
    amount: Money
    fee: Money
    outstanding: Money
    remaining_payments: int
    ends_on: date | None = Field(description="The day of the last payment; null if the loan is paid off.")
    balance: Money = Field(description="The new balance of the account.")
    currency: Currency


def repayment_question(request: RepayEarly, facts: RepayEarlyFacts) -> str:
    amount, fee = format_amount(request.amount, request.currency), format_amount(request.fee, request.currency)
    total = format_amount(request.amount + request.fee, request.currency)
    return (
        f"Repay {amount} of your loan {request.loan_id} ({facts.product}) early, with a fee of {fee}, and pay {total}"
        f" in total from your {whole_account_phrase(request.account)}?"
    )


LIST_LOANS = Tool(
    service="Loans",
    handler="list_loans",
    purpose="List loans, credit lines and credit cards with balance owed, interest rate and monthly payment.",
    input=PersonalInput,
    output=LoanOverview,
    keyed_by="customer_id",
    read_only=True,
)

GET_LOAN_SCHEDULE = Tool(
    service="Loans",
    handler="get_loan_schedule",
    purpose="Get the repayment plan of a loan: each payment with interest, principal and remaining balance.",
    input=ScheduleQuery,
    output=LoanSchedule,
    keyed_by="customer_id",
    read_only=True,
)

QUOTE_EARLY_REPAYMENT = Tool(
    service="Loans",
    handler="quote_early_repayment",
    purpose="Get the cost and the savings of repaying a loan early, in full or in part.",
    input=RepaymentQuery,
    output=RepaymentQuote,
    keyed_by="customer_id",
    read_only=True,
)

REPAY_LOAN_EARLY = Tool(
    service=LOAN_REPAYMENTS,
    handler="repay_loan_early",
    purpose="Repay a loan early, in full or in part, with the quoted fee.",
    input=RepayEarly,
    output=RepaidEarly,
    consent=repayment_question,
    check=RepayEarlyFacts,
    label="repay the loan early",
)

# Internal tools of the object `Loans`, for other services. Agents do not list them.


class GrantLoan(ToolInput):
    """An approved loan. `loan_id` is the idempotency key: each id is granted once."""

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
    """The granted loan to revoke."""

    loan_id: LoanId


class LoanRevoked(WireModel):
    revoked: bool = Field(description="False if there was no such loan.")


GRANT_LOAN = Tool(
    service="Loans",
    handler="grant_loan",
    purpose="Add an approved loan to the customer's loans, once per id.",
    input=GrantLoan,
    output=LoanGranted,
    keyed_by="customer_id",
    internal=True,
)

REVOKE_LOAN = Tool(
    service="Loans",
    handler="revoke_loan",
    purpose="Revoke a granted loan that could not be paid out.",
    input=RevokeLoan,
    output=LoanRevoked,
    keyed_by="customer_id",
    internal=True,
)


class ReduceLoan(ToolInput):
    """An early repayment to book on the loan. `repayment_id` is the idempotency key: each id is booked once.

    `after_payments` is the number of payments made at the time of the quote. If another payment has fallen due since
    then, the cost is different and the booking is refused.
    """

    repayment_id: str
    loan_id: LoanId
    amount: Money = Field(gt=0)
    fee: Money
    after_payments: int


class ReducedLoan(WireModel):
    """The loan after the early repayment."""

    outstanding: Money
    remaining_payments: int
    ends_on: date | None


class RepaymentRef(ToolInput):
    repayment_id: str


class ReductionUndone(WireModel):
    undone: bool = Field(description="False if it was not booked. It can no longer be booked.")


class EarlyTerms(WireModel):
    """The quote of an early repayment, and the number of payments made at that time.

    `account` is the id of the paying account, and `product` the kind of the loan; older journals have neither.
    """

    quote: RepaymentQuote
    after_payments: int
    account: AccountId | None = added_later(None)
    product: str = added_later("")


CHECK_EARLY_REPAYMENT = Tool(
    service="Loans",
    handler="judge_early_repayment",
    purpose="Check whether a loan may be repaid early on the confirmed terms.",
    input=RepayEarly,
    output=EarlyTerms,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)
REDUCE_LOAN = Tool(
    service="Loans",
    handler="reduce_loan",
    purpose="Book an early repayment on the loan, once per id.",
    input=ReduceLoan,
    output=ReducedLoan,
    keyed_by="customer_id",
    internal=True,
)
UNDO_REDUCTION = Tool(
    service="Loans",
    handler="undo_reduction",
    purpose="Undo an early repayment. If it has not been booked yet, prevent it.",
    input=RepaymentRef,
    output=ReductionUndone,
    keyed_by="customer_id",
    internal=True,
)
