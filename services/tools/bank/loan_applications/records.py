"""A customer's applications: which there are, how each stands, and what the customer is told. Pure."""

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
"""Of one customer, the newest; no more than one of them is open."""

UNKNOWN = "There is no loan application {id} among yours. Check the id, or ask for the list of your applications."


class Record(WireModel):
    """One application as it is kept."""

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
        """The one that is not decided yet."""
        return next((record for record in self.records if record.is_open), None)


def refuse_second(records: Records) -> Refusal | None:
    """One at a time: so all that was lent before is on the books when the next one is judged."""
    if records.open is None:
        return None
    return Refusal(f"{sentence(records.open)} Wait for that before you apply for another loan.", rule="L10")


def opened(records: Records, application: Application) -> Records:
    return Records(records=(*records.records, Record(application=application))[-RECORDS_KEPT:])


def waiting(records: Records, application_id: str) -> Records:
    """With the application before staff; one that is decided stays decided."""
    return replaced(records, application_id, "checking", status="waiting_for_staff")


def closed(records: Records, closing: Closing, now: datetime) -> Records:
    """With the application decided. The first decision stays."""
    fields = {
        "status": "approved" if closing.approved else "declined",
        "decided_at": closing.decided_at or now,
        "reason": closing.why,
        "loan_id": closing.loan_id,
    }
    return replaced(records, closing.application_id, "checking", "waiting_for_staff", **fields)


def replaced(records: Records, application_id: str, *at: ApplicationStatus, **fields: object) -> Records:
    """With other fields in the application of that id, if its status is one of `at`."""
    return Records(
        records=tuple(
            record.model_copy(update=fields)
            if record.application.application_id == application_id and record.status in at
            else record
            for record in records.records
        )
    )


def view(record: Record) -> LoanApplication:
    """The application as its customer sees it."""
    application = record.application
    return LoanApplication(
        summary=sentence(record),
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


def views(records: Records) -> LoanApplicationList:
    applications = tuple(view(record) for record in reversed(records.records))
    summary = " ".join(application.summary for application in applications[:3])
    rest = len(applications) - 3
    return LoanApplicationList(
        summary=(summary + (f" And {rest} more." if rest > 0 else "")) or "You have no loan applications.",
        applications=applications,
    )


def sentence(record: Record) -> str:
    """How an application stands, and what comes next."""
    application = record.application
    amount = format_amount(application.amount, application.currency)
    name = f"Your loan application {application.application_id} for {amount}"
    match record.status:
        case "checking":
            return f"{name} was received: {terms(application)}. It is being checked, and you will be told the outcome."
        case "waiting_for_staff":
            return f"{name} waits for a decision of our staff, and you will be told the outcome."
        case "approved":
            why = full_stop(record.reason)
            loan = f"It is your loan {record.loan_id}, and the money is in your checking account."
            return f"{name} was approved: {terms(application)}. {why} {loan}"
        case "declined":
            return f"{name} was declined. {full_stop(record.reason)}"


def terms(application: Application) -> str:
    cost = offer(application.amount, application.term_months)
    payment = format_amount(cost.monthly_payment, application.currency)
    return f"{cost.term_months} monthly payments of {payment}, at {cost.annual_rate_percent} % a year"


def loan_id_of(application_id: str) -> LoanId:
    """The id of the loan that the application leads to; also that of its payout. So neither can happen twice."""
    return application_id.replace("LA-", "LN-")


def full_stop(text: str | None) -> str:
    """The reason as a sentence: staff may have left out its end."""
    return f"{text.rstrip('.')}." if text else ""
