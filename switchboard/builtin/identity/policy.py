"""Limits on the tries to verify as a customer, and the record of these tries. Pure."""

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
"""How long a verification is valid in its session."""

TRIES_KEPT = 300
"""Per customer; older tries are dropped."""


THANKS = "Thank you, you're verified. What can I do for you?"
NO_MATCH = "That does not match our records."


class Record(WireModel):
    """All tries to verify as one customer, oldest first."""

    tries: tuple[Try, ...] = ()


def is_proven(record: Record, session_id: str, now: datetime) -> bool:
    return any(
        entry.session_id == session_id and entry.outcome == "verified" and now - entry.at < VERIFIED_FOR
        for entry in record.tries
    )


def wrong_in_a_row(record: Record, session_id: str) -> list[Try]:
    """Return the session's wrong tries since its last successful one, newest first."""
    wrong: list[Try] = []
    for entry in reversed(record.tries):
        if entry.session_id == session_id and entry.outcome == "verified":
            break
        if entry.session_id == session_id and entry.outcome == "wrong":
            wrong.append(entry)
    return wrong


def locked_until(record: Record, session_id: str, now: datetime) -> datetime | None:
    """Return the time until which tries are locked; None if they are not."""
    ends = []
    wrong = wrong_in_a_row(record, session_id)
    if wrong and len(wrong) % TRIES_MAX == 0:
        ends.append(wrong[0].at + LOCKED_FOR)
    today = [entry for entry in record.tries if entry.outcome == "wrong" and now - entry.at < DAY]
    if len(today) >= WRONG_A_DAY_MAX:
        ends.append(today[-WRONG_A_DAY_MAX].at + DAY)
    return max((end for end in ends if end > now), default=None)


def check_try(record: Record, named: NamedFacts, right: bool, now: datetime) -> Try:
    """Return the try to record. During a lock the outcome is `locked`, whether the facts are right or wrong."""
    outcome: Outcome = "verified" if right else "wrong"
    if locked_until(record, named.session_id, now):
        outcome = "locked"
    return Try(at=now, session_id=named.session_id, facts=named.named, outcome=outcome)


def add_try(record: Record, entry: Try) -> Record:
    """Return the record with one more try. If it is full, locked tries are dropped first, since they do not count."""
    tries = (*record.tries, entry)
    surplus = len(tries) - TRIES_KEPT
    locked = [index for index, old in enumerate(tries) if old.outcome == "locked"]
    gone = set((locked or range(len(tries)))[: max(surplus, 0)])
    return Record(tries=tuple(old for index, old in enumerate(tries) if index not in gone))


def reply_to_try(record: Record, entry: Try) -> Verified:
    """Return the reply to a try, which is already in `record`."""
    if entry.outcome == "verified":
        return Verified(summary=THANKS, verified=True, tries_left=TRIES_MAX)
    end = locked_until(record, entry.session_id, entry.at)
    if end:
        summary = f"{NO_MATCH} " if entry.outcome == "wrong" else ""
        summary += f"There were too many wrong answers. You can try again after {end:%Y-%m-%d %H:%M} UTC, or sign in."
        return Verified(summary=summary, verified=False, tries_left=0)
    left = TRIES_MAX - len(wrong_in_a_row(record, entry.session_id)) % TRIES_MAX
    tries = "1 more try" if left == 1 else f"{left} more tries"
    return Verified(summary=f"{NO_MATCH} You have {tries}, or you can sign in.", verified=False, tries_left=left)


def list_tries(record: Record) -> TryList:
    outcomes = [entry.outcome for entry in record.tries]
    counts = ", ".join(f"{outcomes.count(name)} {name}" for name in ("verified", "wrong", "locked"))
    total = "1 try" if len(outcomes) == 1 else f"{len(outcomes)} tries"
    return TryList(summary=f"{total}: {counts}.", tries=tuple(reversed(record.tries)))
