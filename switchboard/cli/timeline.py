"""Draws a turn as a bar chart of its agents, model calls and tools. Pure: spans in, a table out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Group
from rich.table import Table
from rich.text import Text

from switchboard.cli.text import shortened
from switchboard.session.turn_trace import Kind, Span, State

BAR_MIN_COLUMNS = 12
NAME_MIN_COLUMNS, NAME_MAX_COLUMNS = 30, 44
START_COLUMNS, TOOK_COLUMNS, MARK_COLUMNS = 7, 10, 8
GAP_COLUMNS = 1

WHY_MAX_CHARS = 160
REASON_MARK = "!"
MILLISECOND = timedelta(milliseconds=1)

FULL, HALF = "━", "╸"

COLOURS: dict[Kind, str] = {"session": "dim", "agent": "bold", "model": "magenta", "tool": "cyan"}
BAR_COLOURS: dict[Kind, str] = {**COLOURS, "agent": "bright_black"}
MARKS: dict[State, tuple[str, str]] = {
    "waiting": ("waiting", "dim"),
    "running": ("…", "dim"),
    "retrying": ("retrying", "yellow"),
    "paused": ("paused", "red"),
    "ok": ("", ""),
    "failed": ("failed", "red"),
}


@dataclass(frozen=True)
class Line:
    """One row of the chart. Times are in milliseconds since the start of the turn."""

    span: Span
    label: str
    start_ms: int
    took_ms: int


def lines(turn: Span, now: datetime) -> list[Line]:
    """Return a line for each agent of the turn, followed by its model calls and tools, indented by call depth."""
    found: list[Line] = []

    def add(span: Span, label: str, depth: int) -> None:
        end = max(span.end or now, span.start)
        start_ms = (span.start - turn.start) // MILLISECOND
        found.append(Line(span, "  " * depth + label, start_ms, (end - span.start) // MILLISECOND))
        for child in span.children:
            add(child, f"model {child.name}" if child.kind == "model" else child.name, depth + 1)

    for index, agent in enumerate(turn.children):
        add(agent, agent.name if index == 0 else f"→ {agent.name}", 0)
    return found


def timeline(turn: Span, now: datetime, width: int) -> Group:
    """Return the chart, at most `width` columns wide. Bars of unfinished spans end at `now`."""
    rows = lines(turn, now)
    whole_ms = max([(max(turn.end or now, turn.start) - turn.start) // MILLISECOND, 1])
    names = min(max([NAME_MIN_COLUMNS, *(len(line.label) for line in rows)]), NAME_MAX_COLUMNS)
    marked = any(MARKS[line.span.state][0] for line in rows)
    others = (names, START_COLUMNS, TOOK_COLUMNS, *((MARK_COLUMNS,) if marked else ()))
    columns = max(width - sum(others) - GAP_COLUMNS * len(others), BAR_MIN_COLUMNS)
    table = Table(box=None, padding=(0, GAP_COLUMNS, 0, 0), show_header=True, header_style="dim", pad_edge=False)
    table.add_column("", width=names, no_wrap=True, overflow="ellipsis")
    table.add_column(f"0{f'{whole_ms:,} ms':>{columns - 1}}", width=columns, no_wrap=True)
    table.add_column("start", justify="right", width=START_COLUMNS, style="dim", no_wrap=True)
    table.add_column("took", justify="right", width=TOOK_COLUMNS, no_wrap=True)
    if marked:
        table.add_column("", width=MARK_COLUMNS, no_wrap=True)
    for line in rows:
        span = line.span
        table.add_row(
            Text(line.label, style=COLOURS[span.kind]),
            Text(bar(line.start_ms, line.took_ms, whole_ms, columns), style=BAR_COLOURS[span.kind]),
            f"+{line.start_ms:,}",
            f"{line.took_ms:,} ms",
            *((Text(*MARKS[span.state]),) if marked else ()),
        )
    return Group(table, *reasons(turn))


def bar(start_ms: int, took_ms: int, whole_ms: int, columns: int) -> str:
    """Return a bar at its position, to half a column. Even a span of no duration is half a column long."""
    halves = columns * 2
    begin = min(start_ms * columns // whole_ms, columns - 1)
    end = min(max(round((start_ms + took_ms) * halves / whole_ms), begin * 2 + 1), halves)
    full, half = divmod(end - begin * 2, 2)
    return " " * begin + FULL * full + HALF * half


def reasons(turn: Span) -> list[Text]:
    """Return each distinct reason for a failure or retry once: a failure propagates to every caller."""
    whys = dict.fromkeys(" ".join(span.why.split()) for span in turn.walk() if span.why)
    return [Text(f"{REASON_MARK} {shortened(why, WHY_MAX_CHARS)}", style="dim") for why in whys]


def max_concurrent(spans: list[Span]) -> int:
    """Return the largest number of spans that ran at the same time. Unfinished spans are ignored."""
    ended = [span for span in spans if span.end is not None]
    return max(
        (sum(other.start <= span.start < (other.end or span.start) for other in ended) for span in ended), default=0
    )
