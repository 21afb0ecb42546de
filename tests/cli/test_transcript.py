"""`switchboard transcript`: the lines of a turn."""

from datetime import UTC, datetime

from switchboard.cli.transcript import arguments, turn_lines
from switchboard.messages import Message, ModelReply, Note, Notice, ToolCall, ToolResult, UserText
from switchboard.session.contract import TurnRecord


def said(*messages: Message) -> list[tuple[str, str]]:
    turn = TurnRecord(turn=1, at=datetime(2026, 3, 1, tzinfo=UTC), agents=("Bank",), messages=messages, reply="")
    return [(who, what.plain) for who, what in turn_lines(turn, "alice")]


def calls(*calls: tuple[str, str, str]) -> ModelReply:
    return ModelReply(
        agent="Bank",
        calls=tuple(ToolCall(call_id=call_id, tool=tool, arguments=given) for call_id, tool, given in calls),
    )


def test_transcript_shows_speakers_and_tool_results() -> None:
    assert said(
        UserText(text="what do I own and owe?"),
        calls(("1", "get_balance", "{}"), ("2", "list_loans", '{"kind": "all"}')),
        ToolResult(call_id="1", ok=True, content='{"total": 3}'),
        ToolResult(call_id="2", ok=False, content="The loans cannot be read."),
        Note(text="only for the model"),
        ModelReply(agent="Bank", text="You own 3."),
    ) == [
        ("alice", "what do I own and owe?"),
        ("", "get_balance()  ok"),
        ("", "list_loans(kind=all)  failed: The loans cannot be read."),
        ("Bank", "You own 3."),
    ]


def test_call_does_not_take_the_result_of_a_later_step() -> None:
    assert said(
        calls(("1", "first", "{}")),
        ToolResult(call_id="1", ok=False, content="no"),
        calls(("1", "second", "{}")),
        ToolResult(call_id="1", ok=True, content="{}"),
    ) == [("", "first()  failed: no"), ("", "second()  ok")]


def test_handoff_is_an_arrow_unless_it_failed() -> None:
    assert said(
        calls(("1", "handoff_to_Airline", '{"reason": "a flight"}')),
        ToolResult(call_id="1", ok=True, content="Handed over to Airline."),
        calls(("1", "handoff_to_Unknown", "{}")),
        ToolResult(call_id="1", ok=False, content="There is no agent 'Unknown'."),
    ) == [("", "→ Airline"), ("", "handoff_to_Unknown()  failed: There is no agent 'Unknown'.")]


def test_notice_comes_from_switchboard() -> None:
    assert said(Notice(text="Sorry.")) == [("Switchboard", "Sorry.")]


def test_arguments_that_are_not_json_are_shown_unchanged() -> None:
    assert arguments("{not json") == "{not json"
    assert arguments('{"note": "%s"}' % ("x" * 100)) == f"note={'x' * 54}…"
