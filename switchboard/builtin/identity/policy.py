"""How often somebody may try to prove to be a customer, and what a record of tries says. Pure."""

from datetime import datetime, timedelta

from switchboard.builtin.identity.contract import (
    LOCKED_FOR,
    TRIES_MAX,
    WRONG_A_DAY_MAX,
    NamedFacts,
    Outcome,
    Try,
    TryList,
    Verified,
)
from switchboard.messages import WireModel

DAY = timedelta(days=1)

VERIFIED_FOR = timedelta(hours=12)
"""What was proven in a session holds so long."""

TRIES_KEPT = 300


THANKS = "Thank you, you're verified. What can I do for you?"
NOT_RIGHT = "That is not what we have on record."


class Record(WireModel):
    """All tries to prove to be one customer, oldest first."""

    tries: tuple[Try, ...] = ()


def proven(record: Record, session_id: str, now: datetime) -> bool:
    return any(
        entry.session_id == session_id and entry.outcome == "verified" and now - entry.at < VERIFIED_FOR
        for entry in record.tries
    )


def wrong_in_a_row(record: Record, session_id: str) -> list[Try]:
    """The session's wrong tries since the last that was right."""
    wrong: list[Try] = []
    for entry in reversed(record.tries):
        if entry.session_id == session_id and entry.outcome == "verified":
            break
        if entry.session_id == session_id and entry.outcome == "wrong":
            wrong.append(entry)
    return wrong


def locked_until(record: Record, session_id: str, now: datetime) -> datetime | None:
    """Until when no further try is taken; None when one is."""
    ends = []
    wrong = wrong_in_a_row(record, session_id)
    if wrong and len(wrong) % TRIES_MAX == 0:
        ends.append(wrong[0].at + LOCKED_FOR)
    today = [entry for entry in record.tries if entry.outcome == "wrong" and now - entry.at < DAY]
    if len(today) >= WRONG_A_DAY_MAX:
        ends.append(today[-WRONG_A_DAY_MAX].at + DAY)
    return max((end for end in ends if end > now), default=None)


def judge_try(record: Record, named: NamedFacts, right: bool, now: datetime) -> Try:
    """The try as it is recorded. A locked one is not looked at: it is the same whether it was right or not."""
    outcome: Outcome = "verified" if right else "wrong"
    if locked_until(record, named.session_id, now):
        outcome = "locked"
    return Try(at=now, session_id=named.session_id, facts=named.named, outcome=outcome)


def recorded(record: Record, entry: Try) -> Record:
    """With one more try. Where there are too many, those go first that were locked: they count for nothing."""
    tries = (*record.tries, entry)
    surplus = len(tries) - TRIES_KEPT
    locked = [index for index, old in enumerate(tries) if old.outcome == "locked"]
    gone = set((locked or range(len(tries)))[: max(surplus, 0)])
    return Record(tries=tuple(old for index, old in enumerate(tries) if index not in gone))


def told(record: Record, entry: Try) -> Verified:
    """What the customer is told of a try; `record` holds it already."""
    if entry.outcome == "verified":
        return Verified(summary=THANKS, verified=True, tries_left=TRIES_MAX)
    end = locked_until(record, entry.session_id, entry.at)
    if end:
        summary = f"{NOT_RIGHT} " if entry.outcome == "wrong" else ""
        summary += f"There were too many wrong answers. You can try again after {end:%Y-%m-%d %H:%M} UTC, or sign in."
        return Verified(summary=summary, verified=False, tries_left=0)
    left = TRIES_MAX - len(wrong_in_a_row(record, entry.session_id)) % TRIES_MAX
    tries = "1 more try" if left == 1 else f"{left} more tries"
    return Verified(summary=f"{NOT_RIGHT} You have {tries}, or you can sign in.", verified=False, tries_left=left)


def listed(record: Record) -> TryList:
    outcomes = [entry.outcome for entry in record.tries]
    counts = ", ".join(f"{outcomes.count(name)} {name}" for name in ("verified", "wrong", "locked"))
    return TryList(summary=f"{len(outcomes)} tries: {counts}.", tries=tuple(reversed(record.tries)))
