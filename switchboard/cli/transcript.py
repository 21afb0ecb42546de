"""Prints the messages and tool calls of a session. Pure except `show`: turns in, lines out."""

import json
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchboard.agent import HANDOFF_PREFIX
from switchboard.cli.console import width
from switchboard.cli.text import shortened
from switchboard.messages import Message, ModelReply, Notice, ToolCall, ToolResult, UserText
from switchboard.session.contract import TurnRecord

ARGUMENTS_MAX_CHARS = 60
FAILURE_MAX_CHARS = 100

Line = tuple[str, Text]
"""A line of a turn: the speaker and the text."""


def show(turns: Sequence[TurnRecord], customer_id: str, console: Console) -> None:
    for turn in turns:
        at = turn.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        tokens = turn.usage.input_tokens + turn.usage.output_tokens
        who = " → ".join(turn.agents) or turn.by or customer_id
        console.print(Text(f"Turn {turn.turn} · {at} · {who} · {tokens:,} tokens", style="dim"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, width=width(console))
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        for who, what in turn_lines(turn, customer_id):
            table.add_row(who, what)
        console.print(table)
        console.print()


def turn_lines(turn: TurnRecord, customer_id: str) -> Iterator[Line]:
    """Yield the lines of a turn, without notes that only the model sees."""
    if turn.note:
        to = "the agents" if turn.act == "handed_back" else "colleagues"
        yield f"{turn.by}, to {to}", Text(turn.note, style="dim")
    for index, message in enumerate(turn.messages):
        match message:
            case UserText(text=text):
                yield customer_id, Text(text, style="bold")
            case ModelReply(agent=agent, text=text, calls=calls):
                if text:
                    yield agent, Text(text)
                results = results_after(turn.messages[index + 1 :])
                yield from (("", call_line(call, results)) for call in calls)
            case Notice(text=text, by=by):
                yield by or "Switchboard", Text(text, style="" if by else "yellow")
            case _:
                pass


def results_after(messages: Iterable[Message]) -> dict[str, ToolResult]:
    """Return the results of one step by call id. Other steps may use the same ids."""
    results: dict[str, ToolResult] = {}
    for message in messages:
        if isinstance(message, ModelReply):
            break
        if isinstance(message, ToolResult):
            results[message.call_id] = message
    return results


def call_line(call: ToolCall, results: dict[str, ToolResult]) -> Text:
    """Return a line such as `get_flight_status(flight_number=SB245)  ok`, or with the error."""
    result = results.get(call.call_id)
    if call.tool.startswith(HANDOFF_PREFIX) and result is not None and result.ok:
        return Text(f"→ {call.tool.removeprefix(HANDOFF_PREFIX)}", style="dim")
    line = Text(f"{call.tool}({arguments(call.arguments)})  ", style="cyan")
    if result is None:
        return line.append("no result", style="red")
    if result.ok:
        return line.append("ok", style="green")
    return line.append(f"failed: {shortened(result.content, FAILURE_MAX_CHARS)}", style="red")


def arguments(text: str) -> str:
    """Return a JSON object as `name=value, …`. Anything else is returned as it is."""
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = text
    if isinstance(given, dict):
        given = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
    return shortened(str(given), ARGUMENTS_MAX_CHARS)
