"""Which payments can be disputed, which cases staff decide, and what is told of them. Pure."""

from datetime import datetime, timedelta

from services.tools.bank.accounts.contract import MoveMoney, Transaction
from services.tools.bank.disputes.contract import (
    AT_ONCE_A_YEAR,
    AT_ONCE_MAX,
    CARD_CATEGORIES,
    DAYS_MAX,
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

AT_ONCE = "The amount is small, so it is credited without further questions."
NOT_FINISHED = "It could not be finished on our side, and nothing was credited. Please open it again."


class Record(WireModel):
    """One case as it is kept. `at_once` when it was credited without staff."""

    case: DisputeCase
    status: DisputeStatus = "checking"
    at_once: bool = False
    decided_at: datetime | None = None
    why: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def counts(self, now: datetime) -> bool:
        """Whether a rule may still ask for it; what does not count may be forgotten."""
        return self.is_open or now - self.case.opened_at < YEAR


class Records(WireModel):
    """A customer's cases, oldest first."""

    records: tuple[Record, ...] = ()

    def find(self, dispute_id: str) -> Record | None:
        return next((record for record in self.records if record.case.dispute_id == dispute_id), None)

    def with_record(self, record: Record) -> "Records":
        """With it in the place of what is there under its id, or behind all; the oldest that do not count go then."""
        same = record.case.dispute_id
        if self.find(same) is None:
            past = [old for old in self.records if not old.counts(record.case.opened_at)]
            gone = past[: max(len(self.records) + 1 - RECORDS_MAX, 0)]
            return Records(records=(*(old for old in self.records if old not in gone), record))
        return Records(records=tuple(record if old.case.dispute_id == same else old for old in self.records))


def refuse_impossible(paid: Transaction, request: DisputeRequest) -> Refusal | None:
    """Nobody gets more back than they have paid."""
    if paid.amount >= 0:
        return Refusal("That is money that came in, and no payment.")
    if request.currency != paid.currency:
        return Refusal(f"That payment was in {paid.currency}, not in {request.currency}.", rule="T5")
    if request.amount > -paid.amount:
        return Refusal(
            f"That payment was {format_amount(-paid.amount, paid.currency)}; dispute that, or less.", rule="D3"
        )
    return None


def refuse_dispute(paid: Transaction, now: datetime) -> Refusal | None:
    if paid.category not in CARD_CATEGORIES:
        why = "Only card payments can be disputed here. For a transfer or a debit ask for a call from our staff."
        return Refusal(why, rule="D1")
    if now - paid.booked_at > timedelta(days=DAYS_MAX):
        return Refusal(f"A payment can be disputed for {DAYS_MAX} days, and that was longer ago.", rule="D2")
    return None


def refuse_again(records: Records, transaction_id: str) -> Refusal | None:
    """A payment is disputed once; what staff never came to may be opened again."""
    for record in records.records:
        if record.case.transaction_id == transaction_id and record.status != "undecided":
            return Refusal(f"You have disputed that payment before. {sentence(record)}", rule="D4")
    return None


def refuse_too_many(records: Records, now: datetime) -> Refusal | None:
    """What is open, or may be asked for again, is never forgotten: so there is no more of it than can be kept."""
    if sum(record.is_open for record in records.records) >= OPEN_MAX:
        why = f"You have {OPEN_MAX} open disputes. When one of them is decided, you can open the next."
        return Refusal(why, rule="D6")
    if sum(record.counts(now) for record in records.records) >= RECORDS_MAX:
        why = f"You have opened {RECORDS_MAX} disputes within {REMEMBERED_DAYS} days. Ask for a call from our staff."
        return Refusal(why, rule="D6")
    return None


def at_once(records: Records, case: DisputeCase) -> bool:
    """Whether it is credited without staff, by its amount and by how often that was done in a year."""
    before = sum(
        record.at_once and case.opened_at - record.case.opened_at < YEAR
        for record in records.records
        if record.case.dispute_id != case.dispute_id
    )
    return case.amount <= AT_ONCE_MAX and before < AT_ONCE_A_YEAR


def marked(record: Record, credited_at_once: bool) -> Record:
    """With how it goes on: credited at once, or before staff. A case that is closed stays as it is."""
    if record.status not in OPEN:
        return record
    status: DisputeStatus = "checking" if credited_at_once else "waiting_for_staff"
    return record.model_copy(update={"at_once": credited_at_once, "status": status})


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
    """`staff` is False when the deadline decided."""
    status: DisputeStatus = "accepted" if decision.approved else "rejected" if staff else "undecided"
    return DisputeClosing(dispute_id=case.dispute_id, status=status, why=decision.why)


def facts(case: DisputeCase) -> tuple[Fact, ...]:
    """The case as staff see it."""
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
    return f"It could not be decided within {hours:g} hours. Please open it again, or ask for a call."


def view(record: Record) -> Dispute:
    case = record.case
    fields = {"dispute_id", "transaction_id", "merchant", "amount", "currency", "reason", "opened_at"}
    return Dispute(
        summary=sentence(record),
        status=record.status,
        decided_at=record.decided_at,
        decision=record.why,
        **case.model_dump(include=fields),
    )


def listed(records: Records) -> DisputeList:
    disputes = tuple(view(record) for record in reversed(records.records))
    summary = " ".join(dispute.summary for dispute in disputes[:3])
    rest = len(disputes) - 3
    return DisputeList(
        summary=(summary + (f" And {rest} more." if rest > 0 else "")) or "You have no disputes.", disputes=disputes
    )


def sentence(record: Record) -> str:
    """How a case stands, and what comes next."""
    case = record.case
    name = f"Your dispute {case.dispute_id} of {format_amount(case.amount, case.currency)} at {case.merchant}"
    match record.status:
        case "checking":
            return f"{name} was received, and you will be told the outcome."
        case "waiting_for_staff":
            return f"{name} waits for a decision of our staff, and you will be told the outcome."
        case "accepted":
            return f"{name} was accepted, and the money is on your account. {record.why}"
        case "rejected":
            return f"{name} was rejected. {record.why}"
        case "undecided":
            return f"{name} was closed. {record.why}"
