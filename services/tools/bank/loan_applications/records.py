"""A customer's loan applications: stored records, status changes, and the texts for the customer. Pure."""

from datetime import datetime

from services.tools.bank.loan_applications.contract import (
    Application,
    ApplicationStatus,
    Closing,
    LoanApplication,
    LoanApplicationList,
)
from services.tools.bank.loan_applications.policy import offer
from services.tools.bank.loans.contract import LoanId
from switchboard.messages import WireModel
from switchboard.money import format_amount
from switchboard.toolkit.refusal import Refusal

RECORDS_KEPT = 50
"""Records stored per customer, newest first. At most one of them is open."""

UNKNOWN = "You have no loan application {id}. Please check the id, or list your applications."


class Record(WireModel):
    """One application as it is stored."""

    application: Application
    status: ApplicationStatus = "checking"
    decided_at: datetime | None = None
    reason: str | None = None
    loan_id: LoanId | None = None

    @property
    def is_open(self) -> bool:
        return self.status in ("checking", "waiting_for_staff")


class Records(WireModel):
    """A customer's applications, oldest first."""

    records: tuple[Record, ...] = ()

    def find(self, application_id: str) -> Record | None:
        return next((record for record in self.records if record.application.application_id == application_id), None)

    @property
    def open(self) -> Record | None:
        """The application that is not decided yet, if any."""
        return next((record for record in self.records if record.is_open), None)


def refuse_second(records: Records) -> Refusal | None:
    """Refuse a second open application, so that all earlier loans are on record when the next one is assessed."""
    if records.open is None:
        return None
    return Refusal(f"{describe(records.open)} You can apply for another loan after that.", rule="L10")


def opened(records: Records, application: Application) -> Records:
    return Records(records=(*records.records, Record(application=application))[-RECORDS_KEPT:])


def waiting(records: Records, application_id: str) -> Records:
    """Mark the application as waiting for staff. A decided application stays unchanged."""
    return replaced(records, application_id, "checking", status="waiting_for_staff")


def closed(records: Records, closing: Closing, now: datetime) -> Records:
    """Store the decision. A decided application stays unchanged."""
    fields = {
        "status": "approved" if closing.approved else "declined",
        "decided_at": closing.decided_at or now,
        "reason": closing.why,
        "loan_id": closing.loan_id,
    }
    return replaced(records, closing.application_id, "checking", "waiting_for_staff", **fields)


def replaced(records: Records, application_id: str, *at: ApplicationStatus, **fields: object) -> Records:
    """Update fields of the application with that id, if its status is one of `at`."""
    return Records(
        records=tuple(
            record.model_copy(update=fields)
            if record.application.application_id == application_id and record.status in at
            else record
            for record in records.records
        )
    )


def view(record: Record) -> LoanApplication:
    """Return the application as the customer sees it."""
    application = record.application
    return LoanApplication(
        summary=describe(record),
        application_id=application.application_id,
        status=record.status,
        amount=application.amount,
        currency=application.currency,
        purpose=application.purpose,
        offer=offer(application.amount, application.term_months),
        applied_at=application.applied_at,
        decided_at=record.decided_at,
        reason=record.reason,
        loan_id=record.loan_id,
    )


def application_list(records: Records) -> LoanApplicationList:
    applications = tuple(view(record) for record in reversed(records.records))
    summary = " ".join(application.summary for application in applications[:3])
    rest = len(applications) - 3
    return LoanApplicationList(
        summary=(summary + (f" And {rest} more." if rest > 0 else "")) or "You have no loan applications.",
        applications=applications,
    )


def describe(record: Record) -> str:
    """Return the status of an application and the next step, for the customer."""
    application = record.application
    amount = format_amount(application.amount, application.currency)
    name = f"Your loan application {application.application_id} for {amount}"
    match record.status:
        case "checking":
            return f"{name} was received: {terms(application)}. We will let you know the decision here."
        case "waiting_for_staff":
            return f"{name} is waiting for a decision by our staff. We will let you know the decision here."
        case "approved":
            why = full_stop(record.reason)
            loan = f"Your new loan is {record.loan_id}, and the money is in your checking account."
            return f"{name} was approved: {terms(application)}. {why} {loan}"
        case "declined":
            return f"{name} was declined. {full_stop(record.reason)}"


def terms(application: Application) -> str:
    cost = offer(application.amount, application.term_months)
    payment = format_amount(cost.monthly_payment, application.currency)
    return f"{cost.term_months} monthly payments of {payment}, at {cost.annual_rate_percent} % interest per year"


def loan_id_of(application_id: str) -> LoanId:
    """Return the id of the application's loan and of its payout, so that neither can happen twice."""
    return application_id.replace("LA-", "LN-")


def full_stop(text: str | None) -> str:
    """Return the reason with a full stop, which staff may have omitted."""
    return f"{text.rstrip('.')}." if text else ""
