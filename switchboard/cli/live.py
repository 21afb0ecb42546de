"""Draws a turn while it runs: who works, the tools side by side, and the text as the model writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from switchboard.client import LiveText, Shown
from switchboard.events import AgentStarted, HandedOff, ModelStep, Numbered, ToolFinished, ToolReturned, ToolStarted

FRAMES_PER_SECOND = 12
WORKING = "dots"

MARKS = {"known": ("✓", "green"), "held": ("?", "yellow"), "unknown": ("!", "yellow"), "failed": ("✗", "red")}
"""By how a call ended."""


@dataclass
class ToolLine:
    """A tool that was called. `mark` is empty while it runs."""

    label: str
    mark: str = ""


@dataclass
class Drawing:
    """What has happened in a turn so far. `take` each event, and draw the object itself."""

    lines: list[str | ToolLine] = field(default_factory=list)
    tools: dict[str, ToolLine] = field(default_factory=dict)
    live: LiveText = field(default_factory=LiveText)

    def take(self, event: Shown) -> None:
        self.live.take(event)
        if isinstance(event, ToolReturned):
            self.end_tool(event.call_id, event.ok, event.outcome)
        elif isinstance(event, Numbered):
            self.take_numbered(event)

    def take_numbered(self, numbered: Numbered) -> None:
        match numbered.event:
            case AgentStarted(agent=agent):
                self.lines.append(agent)
            case ModelStep(text=text) if text:
                self.lines.append(f"  {text}")
            case ToolStarted() as started:
                line = ToolLine(started.label or started.tool)
                self.lines.append(line)
                # Another step may use the id of a call again.
                self.tools[started.call_id] = line
            case ToolFinished(call_id=call_id, ok=ok, outcome=outcome):
                self.end_tool(call_id, ok, outcome)
            case HandedOff(to=to, ok=False):
                self.lines.append(f"  not handed over to {to}")
            case _:
                pass

    def end_tool(self, call_id: str, ok: bool, outcome: str) -> None:
        if (line := self.tools.get(call_id)) is not None:
            line.mark = outcome if ok or outcome != "known" else "failed"

    def __rich__(self) -> RenderableType:
        shown: list[RenderableType] = [drawn_line(line) for line in self.lines]
        if self.live.text:
            shown.append(Text(self.live.text, style="dim"))
        return Group(*shown)


def drawn_line(line: str | ToolLine) -> RenderableType:
    if isinstance(line, str):
        return Text(line, style="dim")
    if not line.mark:
        return Spinner(WORKING, Text(line.label), style="cyan")
    mark, style = MARKS[line.mark]
    return Text.assemble((f"{mark} ", style), line.label)


@contextmanager
def drawn(console: Console) -> Iterator[Drawing]:
    """Draw on this terminal what the block gives to `take`. The last drawing stays, without unfinished text."""
    drawing = Drawing()
    with Live(drawing, console=console, refresh_per_second=FRAMES_PER_SECOND):
        yield drawing
        drawing.live = LiveText()
