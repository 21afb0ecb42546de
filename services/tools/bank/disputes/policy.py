"""Rules for disputes: which payments qualify and when staff decide, and the texts about them. Pure."""

from datetime import datetime, timedelta

from services.tools.bank.accounts.contract import MoveMoney, Transaction
from services.tools.bank.disputes.contract import (
    CARD_CATEGORIES,
    DAYS_MAX,
    INSTANT_CREDIT_MAX,
    INSTANT_CREDITS_A_YEAR,
    OPEN_MAX,
    RECORDS_MAX,
    REMEMBERED_DAYS,
    Dispute,
    DisputeCase,
    DisputeClosing,
    DisputeList,
    DisputeRequest,
    DisputeStatus,
)
from switchboard.builtin.approvals.contract import Decision, Fact
from switchboard.messages import WireModel
from switchboard.money import format_amount
from switchboard.toolkit.refusal import Refusal

BANK = "Harbour Bank"
YEAR = timedelta(days=REMEMBERED_DAYS)

OPEN: tuple[DisputeStatus, ...] = ("checking", "waiting_for_staff")

CREDITED_INSTANTLY = "Because the amount is small, no further checks were needed."
NOT_FINISHED = "Sorry, we could not process it. Nothing was credited. Please open the dispute again."


class Record(WireModel):
    """One dispute as it is stored. `at_once` is true if it was credited without staff."""

    case: DisputeCase
    status: DisputeStatus = "checking"
    at_once: bool = False
    decided_at: datetime | None = None
    why: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def is_relevant(self, now: datetime) -> bool:
        """Return whether a rule still needs the record. Records that are no longer relevant may be dropped."""
        return self.is_open or now - self.case.opened_at < YEAR


class Records(WireModel):
    """A customer's disputes, oldest first."""

    records: tuple[Record, ...] = ()

    def find(self, dispute_id: str) -> Record | None:
        return next((record for record in self.records if record.case.dispute_id == dispute_id), None)

    def with_record(self, record: Record) -> "Records":
        """Replace the record with the same id, or append it. Appending may drop the oldest irrelevant records."""
        dispute_id = record.case.dispute_id
        if self.find(dispute_id) is None:
            irrelevant = [old for old in self.records if not old.is_relevant(record.case.opened_at)]
            dropped = irrelevant[: max(len(self.records) + 1 - RECORDS_MAX, 0)]
            return Records(records=(*(old for old in self.records if old not in dropped), record))
        return Records(records=tuple(record if old.case.dispute_id == dispute_id else old for old in self.records))


def refuse_impossible(paid: Transaction, request: DisputeRequest) -> Refusal | None:
    """Refuse a dispute of more than was paid."""
    if paid.amount >= 0:
        return Refusal("That is an incoming transaction. Only payments can be disputed.")
    if request.currency != paid.currency:
        return Refusal(f"That payment was in {paid.currency}, not in {request.currency}.", rule="T5")
    if request.amount > -paid.amount:
        why = f"That payment was {format_amount(-paid.amount, paid.currency)}. The disputed amount cannot be higher."
        return Refusal(why, rule="D3")
    return None


def refuse_dispute(paid: Transaction, now: datetime) -> Refusal | None:
    if paid.category not in CARD_CATEGORIES:
        why = "Only card payments can be disputed here. For a transfer or a direct debit, please contact our staff."
        return Refusal(why, rule="D1")
    if now - paid.booked_at > timedelta(days=DAYS_MAX):
        return Refusal(f"A payment can be disputed within {DAYS_MAX} days. That payment is older.", rule="D2")
    return None


def refuse_again(records: Records, transaction_id: str) -> Refusal | None:
    """Refuse a second dispute of a payment, unless staff did not decide on the first one in time."""
    for record in records.records:
        if record.case.transaction_id == transaction_id and record.status != "undecided":
            return Refusal(f"You have already disputed that payment. {describe(record)}", rule="D4")
    return None


def refuse_too_many(records: Records, now: datetime) -> Refusal | None:
    """Refuse a dispute beyond the maximum. Open and recent disputes are always stored, so their number is limited."""
    if sum(record.is_open for record in records.records) >= OPEN_MAX:
        why = f"You already have {OPEN_MAX} open disputes. You can open another one when one of them is decided."
        return Refusal(why, rule="D6")
    if sum(record.is_relevant(now) for record in records.records) >= RECORDS_MAX:
        why = (
            f"You have opened {RECORDS_MAX} disputes in the last {REMEMBERED_DAYS} days, which is the maximum. Please"
            " contact our staff."
        )
        return Refusal(why, rule="D6")
    return None


def may_credit_instantly(records: Records, case: DisputeCase) -> bool:
    """Return whether the dispute is credited without staff, depending on its amount and on earlier instant credits."""
    before = sum(
        record.at_once and case.opened_at - record.case.opened_at < YEAR
        for record in records.records
        if record.case.dispute_id != case.dispute_id
    )
    return case.amount <= INSTANT_CREDIT_MAX and before < INSTANT_CREDITS_A_YEAR


def with_next_step(record: Record, credit_instantly: bool) -> Record:
    """Mark the dispute as credited instantly or as waiting for staff. A closed dispute stays unchanged."""
    if record.status not in OPEN:
        return record
    status: DisputeStatus = "checking" if credit_instantly else "waiting_for_staff"
    return record.model_copy(update={"at_once": credit_instantly, "status": status})


def closed(record: Record, closing: DisputeClosing, now: datetime) -> Record:
    fields = {"status": closing.status, "why": closing.why, "decided_at": now}
    return record.model_copy(update=fields)


def credit(case: DisputeCase) -> MoveMoney:
    return MoveMoney(
        move_id=case.dispute_id,
        account=case.account,
        amount=case.amount,
        currency=case.currency,
        counterparty=BANK,
        category="refunds",
        reference=f"Dispute {case.dispute_id}",
    )


def closing(case: DisputeCase, decision: Decision, staff: bool) -> DisputeClosing:
    """Return the outcome. `staff` is False if staff did not decide before the deadline."""
    status: DisputeStatus = "accepted" if decision.approved else "rejected" if staff else "undecided"
    return DisputeClosing(dispute_id=case.dispute_id, status=status, why=decision.why)


def facts(case: DisputeCase) -> tuple[Fact, ...]:
    """Return what staff see of the dispute."""
    return (
        Fact(
            name="payment",
            value=f"{format_amount(case.paid, case.currency)} to {case.merchant}, {case.paid_at:%Y-%m-%d}",
        ),
        Fact(name="disputed", value=format_amount(case.amount, case.currency)),
        Fact(name="reason", value=case.reason.replace("_", " ")),
        Fact(name="in the customer's words", value=case.words or "(none)"),
    )


def undecided(within: timedelta) -> str:
    hours = within.total_seconds() / 3600
    return (
        f"Sorry, our staff could not decide within {hours:g} hours. Please open the dispute again or contact our staff."
    )


def view(record: Record) -> Dispute:
    case = record.case
    fields = {"dispute_id", "transaction_id", "merchant", "amount", "currency", "reason", "opened_at"}
    return Dispute(
        summary=describe(record),
        status=record.status,
        decided_at=record.decided_at,
        decision=record.why,
        **case.model_dump(include=fields),
    )


def dispute_list(records: Records) -> DisputeList:
    disputes = tuple(view(record) for record in reversed(records.records))
    summary = " ".join(dispute.summary for dispute in disputes[:3])
    rest = len(disputes) - 3
    return DisputeList(
        summary=(summary + (f" And {rest} more." if rest > 0 else "")) or "You have no disputes.", disputes=disputes
    )


def describe(record: Record) -> str:
    """Return the status of a dispute and the next step, for the customer."""
    case = record.case
    name = f"Your dispute {case.dispute_id} of {format_amount(case.amount, case.currency)} at {case.merchant}"
    match record.status:
        case "checking":
            return f"{name} was received. We will let you know the outcome here."
        case "waiting_for_staff":
            return f"{name} is waiting for a decision by our staff. We will let you know the outcome here."
        case "accepted":
            return f"{name} was accepted, and the money is in your account. {record.why}"
        case "rejected":
            return f"{name} was rejected. {record.why}"
        case "undecided":
            return f"{name} was closed. {record.why}"
