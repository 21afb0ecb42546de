"""A turn as `ask` and `chat` draw it while it runs."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from switchboard.cli.live import Drawing, drawn
from switchboard.events import (
    AgentStarted,
    Delta,
    Event,
    HandedOff,
    ModelStep,
    Numbered,
    Reset,
    Shown,
    ToolFinished,
    ToolReturned,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)


def numbered(seq: int, event: Event) -> Numbered:
    return Numbered(turn=1, seq=seq, event=event)


def delta(text: str, offset: int = 0) -> Delta:
    return Delta(turn=1, seq=9, attempt=0, writer="w1", offset=offset, text=text)


BEGIN: list[Shown] = [
    numbered(1, TurnStarted(at=datetime(2026, 3, 1, 12, tzinfo=UTC))),
    numbered(3, AgentStarted(agent="Bank")),
    numbered(4, ModelStep(agent="Bank", text="Let me look.")),
    numbered(5, ToolStarted(call_id="a", tool="get_balance")),
    numbered(6, ToolStarted(call_id="b", tool="transfer_money", label="transfer money")),
]


def lines(*events: Shown) -> list[str]:
    """Return what is on the screen after these events."""
    drawing = Drawing()
    for event in events:
        drawing.take(event)
    screen = Console(file=io.StringIO(), width=80, record=True)
    screen.print(drawing)
    return [line.rstrip() for line in screen.export_text().splitlines()]


def test_agents_and_tools_are_shown_as_they_start() -> None:
    agent, said, balance, transfer = lines(*BEGIN)
    assert (agent, said) == ("Bank", "  Let me look.")
    assert balance.endswith(" get_balance")
    assert transfer.endswith(" transfer money"), "its label"


@pytest.mark.parametrize(
    ("ok", "outcome", "mark"),
    [(True, "known", "✓"), (False, "known", "✗"), (False, "held", "?"), (False, "unknown", "!")],
)
def test_tool_shows_how_it_ended(ok: bool, outcome: str, mark: str) -> None:
    ended = ToolFinished.model_validate({"call_id": "a", "tool": "get_balance", "ok": ok, "outcome": outcome})
    early = ToolReturned.model_validate({"turn": 1, "call_id": "a", "ok": ok, "outcome": outcome})
    for event in (numbered(7, ended), early):
        balance, transfer = lines(*BEGIN, event)[2:]
        assert balance == f"{mark} get_balance"
        assert not transfer.startswith(tuple("✓✗?!")), "it still runs"


def test_text_is_shown_while_it_is_written_and_then_left_to_the_reply() -> None:
    assert lines(*BEGIN, delta("Your bal"), delta("ance is", 8))[-1] == "Your balance is"
    assert lines(*BEGIN, delta("Your"), Reset(turn=1, seq=9, attempt=0, writer="w1"))[-1].endswith("transfer money")
    reply = numbered(9_999, TurnFinished(text="Your balance is 5 EUR.", agent="Bank"))
    assert "Your balance" not in "\n".join(lines(*BEGIN, delta("Your balance"), reply))


def test_refused_hand_off_is_shown() -> None:
    assert lines(numbered(5, HandedOff(to="Airline", ok=False))) == ["  not handed over to Airline"]


def test_last_drawing_stays_without_unfinished_text() -> None:
    screen = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with drawn(screen) as drawing:
        for event in (*BEGIN, delta("Your balance")):
            drawing.take(event)
    assert isinstance(screen.file, io.StringIO)
    shown = screen.file.getvalue()
    assert "transfer money" in shown
    assert "Your balance" not in shown.rpartition("Let me look.")[2]
