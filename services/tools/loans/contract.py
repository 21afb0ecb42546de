"""What the loans service promises. Agents import this file and nothing else of the service."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from switchboard import NoInput, Tool, ToolInput
from switchboard.messages import Wire
from switchboard.money import CENT, Currency, Money

SCHEDULE_PAYMENTS_MAX = 12
"""Payments in one schedule: a year of them."""

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


class ScheduleQuery(ToolInput):
    """Whose schedule to show."""

    loan_id: LoanId


class Loan(Wire):
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


class CreditLine(Wire):
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


class LoanOverview(Wire):
    """All loans and credit lines of one customer."""

    summary: str
    loans: tuple[Loan, ...]
    credit_lines: tuple[CreditLine, ...]
    total_outstanding: Money = Field(description="Outstanding loans and used credit together.")
    total_monthly_payment: Money = Field(description="Monthly payments and minimum payments, paid-off loans left out.")
    currency: Currency


class ScheduledPayment(Wire):
    """One payment to come, or one that is overdue."""

    due_on: date
    payment: Money
    interest: Money
    principal: Money
    remaining: Money = Field(description="Still outstanding after this payment.")


class LoanSchedule(Wire):
    """The next payments of one loan, the first unpaid one first; at most a year of them."""

    summary: str
    loan_id: LoanId
    product: str
    remaining_payments: int = Field(description="All that are still to be paid, also those not listed.")
    payments: tuple[ScheduledPayment, ...]
    currency: Currency


LIST_LOANS = Tool(
    service="Loans",
    handler="list_loans",
    purpose="The customer's loans, credit lines and credit cards: what is owed, rate, monthly payment, limit.",
    input=NoInput,
    output=LoanOverview,
    keyed_by="customer_id",
)

GET_LOAN_SCHEDULE = Tool(
    service="Loans",
    handler="get_loan_schedule",
    purpose="The next twelve payments of one of the customer's loans, split into interest and principal.",
    input=ScheduleQuery,
    output=LoanSchedule,
    keyed_by="customer_id",
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


class LoanGranted(Wire):
    loan_id: LoanId
    first_payment_on: date


class RevokeLoan(ToolInput):
    """Which granted loan to take back."""

    loan_id: LoanId


class LoanRevoked(Wire):
    revoked: bool = Field(description="False when there was no such loan.")


GRANT_LOAN = Tool(
    service="Loans",
    handler="grant_loan",
    purpose="Add an approved loan to the customer's loans, once for each id.",
    input=GrantLoan,
    output=LoanGranted,
    keyed_by="customer_id",
)

REVOKE_LOAN = Tool(
    service="Loans",
    handler="revoke_loan",
    purpose="Take back a loan that was granted and could not be paid out.",
    input=RevokeLoan,
    output=LoanRevoked,
    keyed_by="customer_id",
)
