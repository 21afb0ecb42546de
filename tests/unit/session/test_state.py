"""Session state: the bounded window, summaries that arrive or get lost, and spending."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from switchboard.messages import ModelReply, Notice, Usage, UserText
from switchboard.session.settings import Price, SessionSettings
from switchboard.session.state import FinishedTurn, Head, head_after_turn, open_message, over_budget, trim_window
from switchboard.session.window import WINDOW_LIMIT_BYTES, WINDOW_MAX_BYTES, size_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = SessionSettings()


def said(head: Head, size: int = 100) -> Head:
    """Return the session after one more turn of `size` bytes."""
    done = FinishedTurn(text="", added=(UserText(text="x" * size),), agents=("Bank",))
    return head_after_turn(head, NOW, done, None, SETTINGS)


def head(turns: int, size: int = 100) -> Head:
    new = Head(customer_id="alice", active="Bank")
    for _ in range(turns):
        new = said(new, size)
    return new


def test_no_summary_is_requested_while_all_turns_fit() -> None:
    assert trim_window(head(3)) == (head(3), ())


def test_summary_is_requested_once() -> None:
    first, oldest = trim_window(head(20, size=1_000))
    assert first.folding == oldest[-1].turn > 0
    second, again = trim_window(said(first))
    assert again == ()
    assert second.folding == first.folding


def test_lost_summary_is_requested_again_when_the_window_is_full() -> None:
    lost, _ = trim_window(head(20, size=1_000))
    for _ in range(60):
        lost, again = trim_window(said(lost, 1_000))
        assert size_of(lost.window) <= WINDOW_LIMIT_BYTES
        if again:
            break
    assert again
    assert lost.folding == again[-1].turn


def test_large_turn_is_summarised_before_it_is_dropped() -> None:
    large = head(1, size=2 * WINDOW_LIMIT_BYTES)
    assert trim_window(large) == (large, ())
    after_it, oldest = trim_window(said(large))
    assert [turn.turn for turn in oldest] == [1]
    assert [turn.turn for turn in after_it.window] == [2]


def test_window_never_exceeds_its_limit() -> None:
    assert size_of(trim_window(head(50, size=WINDOW_MAX_BYTES // 4))[0].window) <= WINDOW_LIMIT_BYTES


def spent(**more: Any) -> Head:
    reply = ModelReply(agent="Bank", model="m", text="hi", usage=Usage(input_tokens=1_000, output_tokens=100))
    settings = SETTINGS.model_copy(update=more)
    done = FinishedTurn(text="", added=(reply, reply), agents=("Bank",))
    return head_after_turn(Head(customer_id="alice", active="Bank"), NOW, done, None, settings)


def test_tokens_and_costs_are_counted_per_agent() -> None:
    prices = {"m": Price(input=Decimal("0.50"), output=Decimal(2))}
    new = spent(prices=prices)
    assert new.tokens == 2_200
    assert new.cost == Decimal("0.0014")
    assert [agent.agent for agent in new.spending] == ["Bank"]
    assert spent().cost == 0


@pytest.mark.parametrize(
    ("limits", "stops"),
    [
        ({"session_tokens_max": 2_200}, True),
        ({"session_tokens_max": 2_201}, False),
        ({"session_budget": Decimal(0)}, False),
    ],
)
def test_session_stops_at_its_limit(limits: dict[str, Any], stops: bool) -> None:
    assert over_budget(spent(), SETTINGS.model_copy(update=limits)) is stops


def test_notice_is_a_turn_without_agent() -> None:
    noticed = head_after_turn(head(1), NOW, FinishedTurn(text="hi", added=(Notice(text="hi"),)), None, SETTINGS)
    assert (noticed.active, noticed.turns_total) == ("Bank", 2)


def test_yes_confirms_nothing_while_no_call_is_held() -> None:
    opening = open_message(head(1), "yes", "yes")
    assert (opening.confirmed, opening.settled) == ((), None)
