"""How a take-over changes a session, and what the customer, staff and models get to see of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from switchboard.messages import HeldCall, Note, Notice, UserText
from switchboard.session.allowance import Account, GrantRequest, Limits, grant_tokens
from switchboard.session.contract import STAFF_MEMBER, TurnRecord
from switchboard.session.settings import SessionSettings
from switchboard.session.staffed import (
    HANDED_BACK,
    QUESTION_DROPPED,
    STAFF_SILENT,
    TAKEN_FROM_COLLEAGUE,
    TAKEN_OVER,
    TakeOver,
    customer_wrote,
    handed_back,
    held_by_another,
    shown_mode,
    staff_noted,
    staff_wrote,
    take_over_of,
    taken_over,
)
from switchboard.session.state import Head, PendingConfirmation, head_after_turn, trim_window, turn_record
from switchboard.session.window import WINDOW_LIMIT_BYTES, WINDOW_STAFFED_BYTES, flatten, size_of

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AGENTS = Head(customer_id="alice", active="Bank", turns_total=4)
ANN = TakeOver(by="ann", at=NOON)
HELD = PendingConfirmation(
    held_id="h-1",
    agent="Bank",
    asked_by="inv_1",
    calls=(HeldCall(call_id="c", tool="pay", arguments="{}", body="{}", question="Pay?"),),
    expires_at=NOON + MINUTE,
)
SETTINGS = SessionSettings()


def test_take_over_makes_the_customer_wait_for_the_staff_member() -> None:
    head, done = taken_over(AGENTS, ANN)
    assert head.staff is not None
    assert (head.staff.by, head.staff.since, head.staff.waiting_since) == ("ann", NOON, NOON)
    assert (done.text, done.by, done.act, done.agents) == (TAKEN_OVER, "ann", "taken_over", ())


@pytest.mark.parametrize(("at", "told"), [(NOON, True), (NOON + MINUTE, False)])
def test_take_over_drops_an_open_question(at: datetime, told: bool) -> None:
    _, done = taken_over(AGENTS.model_copy(update={"held": HELD}), ANN.model_copy(update={"at": at}))
    assert (QUESTION_DROPPED in done.text) is told
    assert isinstance(done.added[0], Note)
    assert done.added[0].text == "The customer did not confirm. These held calls were not made: pay."


def test_colleague_takes_a_session_over_with_its_waiting_customer_and_timer() -> None:
    head, _ = taken_over(AGENTS, ANN)
    assert head.staff is not None
    head = head.model_copy(update={"staff": head.staff.model_copy(update={"timer": 5})})
    assert (held := held_by_another(head, "ben")) is not None
    assert held.by == "ann"
    assert held_by_another(head, "ben", "carl") is not None
    assert held_by_another(head, "ben", "ann") is None
    assert held_by_another(head, "ann") is None
    head, done = taken_over(head, TakeOver(by="ben", at=NOON + MINUTE, from_colleague="ann"))
    assert head.staff is not None
    assert (head.staff.by, head.staff.since) == ("ben", NOON + MINUTE)
    assert (head.staff.waiting_since, head.staff.timer, done.text) == (NOON, 5, TAKEN_FROM_COLLEAGUE)


def test_customer_waits_since_the_oldest_message_without_an_answer() -> None:
    head, _ = taken_over(AGENTS, ANN)
    head, done = staff_wrote(head, "Hello")
    assert head.staff is not None
    assert (head.staff.waiting_since, done.added) == (None, (Notice(text="Hello", by="ann"),))
    for minutes in (1, 2):
        head, done = customer_wrote(head, NOON + minutes * MINUTE, "Hi")
    assert head.staff is not None
    assert (head.staff.waiting_since, done.added) == (NOON + MINUTE, (UserText(text="Hi"),))


@pytest.mark.parametrize(("by", "text"), [("ann", HANDED_BACK), ("", STAFF_SILENT)])
def test_hand_back_tells_the_agents_what_they_missed(by: str, text: str) -> None:
    head, _ = taken_over(AGENTS, ANN)
    head, done = handed_back(head, NOON + 90 * MINUTE, by, "Be kind" if by else "")
    assert (head.staff, done.text, done.by, done.act) == (None, text, by, "handed_back")
    assert isinstance(done.added[0], Note)
    note = done.added[0].text
    assert "From 2026-11-29 12:00 to 2026-11-29 13:30 UTC" in note
    assert "have not answered the customer's latest messages" in note
    assert note.endswith("Their note for you: Be kind") is bool(by)
    head, _ = staff_wrote(taken_over(AGENTS, ANN)[0], "Hello")
    assert "have not answered" not in handed_back(head, NOON, by)[1].added[0].model_dump_json()


def recorded(head: Head) -> list[TurnRecord]:
    """Return the records of a take-over with all its acts."""
    head, taken = taken_over(head, ANN)
    head, said = staff_wrote(head, "Hello")
    head, asked = customer_wrote(head, NOON, "Hi")
    noted = staff_noted("ann", "a secret of colleagues")
    _, back = handed_back(head, NOON, "ann", "a secret of the agents")
    return [turn_record(number, NOON, done) for number, done in enumerate([taken, said, asked, noted, back], 1)]


def test_customer_sees_neither_names_nor_notes_of_staff() -> None:
    shown = [turn for record in recorded(AGENTS.model_copy(update={"held": HELD})) if (turn := record.for_customers())]
    assert [turn.turn for turn in shown] == [1, 2, 3, 5]
    assert [turn.by for turn in shown] == [STAFF_MEMBER, STAFF_MEMBER, "", STAFF_MEMBER]
    text = "".join(turn.model_dump_json() for turn in shown)
    assert "ann" not in text
    assert "secret" not in text
    assert shown[1].messages == (Notice(text="Hello", by=STAFF_MEMBER),)


def test_turn_of_agents_is_shown_to_its_customer_as_it_is() -> None:
    record = TurnRecord(turn=1, at=NOON, agents=("Bank",), messages=(Note(text="x"), UserText(text="y")), reply="z")
    assert record.for_customers() == record


def test_status_names_the_staff_member_to_staff_only() -> None:
    head, _ = taken_over(AGENTS, ANN)
    assert [shown_mode(head, staff).by for staff in (True, False)] == ["ann", STAFF_MEMBER]  # type: ignore[union-attr]
    assert shown_mode(AGENTS, True) is None


def test_note_for_colleagues_is_not_in_what_models_see() -> None:
    head, done = taken_over(AGENTS, ANN)
    head = head_after_turn(head, NOON, done, None, SETTINGS)
    noted = head_after_turn(head, NOON, staff_noted("ann", "for colleagues"), None, SETTINGS)
    assert noted.window == head.window
    assert noted.turns_total == head.turns_total + 1


def test_no_summary_is_requested_while_a_staff_member_answers() -> None:
    head, _ = taken_over(AGENTS, ANN)
    for _ in range(40):
        head, done = customer_wrote(head, NOON, "x" * 2_000)
        head, summarised = trim_window(head_after_turn(head, NOON, done, None, SETTINGS))
        assert summarised == ()
    assert WINDOW_LIMIT_BYTES < size_of(head.window) <= WINDOW_STAFFED_BYTES
    head, done = handed_back(head, NOON, "ann")
    head, summarised = trim_window(head_after_turn(head, NOON, done, None, SETTINGS))
    assert summarised
    assert size_of(head.window) <= WINDOW_LIMIT_BYTES
    assert flatten(head.window)[-1] == Notice(text=HANDED_BACK)


def test_stop_by_the_customer_is_no_take_over() -> None:
    assert take_over_of("interrupt") is None
    assert take_over_of(ANN.model_dump_json()) == ANN


def test_message_to_staff_counts_in_a_minute_and_uses_no_tokens() -> None:
    limits = Limits(
        turns_max=1,
        turns_per_minute=2,
        sessions_per_day=1,
        tokens_per_day=10,
        tokens_per_turn=10,
        cost_per_day=Decimal(0),
        turn_lasts=MINUTE,
    )
    account: Account | None = Account(day=NOON.date(), tokens=10, sessions=1)
    message = GrantRequest(turn_id="t", estimate=0, unanswered=True)
    refused = []
    for _ in range(3):
        account, grant = grant_tokens(account, message, NOON, limits)
        refused.append(grant.refused)
    assert refused == [None, None, "minute"]
    assert account is not None
    assert (account.reserved, account.tokens) == ((), 10)
