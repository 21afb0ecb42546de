"""Draws a trace that Jaeger's API returned as docs/images/trace.svg.

`python -m scripts.draw_trace http://127.0.0.1:16686 TRACE_ID` asks Jaeger; with the file of a former answer as its only
argument it needs none. Restate's own spans are left out: their children move up to the next span of ours.
"""

import argparse
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.request import urlopen

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "trace.svg"

HIDDEN = "Restate"
COLOURS = {"cli": "#6b7280", "gateway": "#6b7280", "triage": "#b45309", "bank": "#7e22ce", "tools": "#0e7490"}
OTHER = "#334155"

WIDTH, LEFT, RIGHT, ROW, TOP = 960, 330, 70, 24, 44

Span = dict[str, Any]


def spans_of(answer: dict[str, Any]) -> Iterator[tuple[int, Span, str]]:
    """Yield (depth, span, service) of all spans but Restate's, in the order of a tree."""
    (trace,) = answer["data"]
    names = {key: process["serviceName"] for key, process in trace["processes"].items()}
    by_id = {span["spanID"]: span for span in trace["spans"]}

    def parent(span: Span) -> str | None:
        """Return the closest span above that is shown."""
        above = next((ref["spanID"] for ref in span["references"] if ref["refType"] == "CHILD_OF"), None)
        while above in by_id and names[by_id[above]["processID"]] == HIDDEN:
            above = next((ref["spanID"] for ref in by_id[above]["references"]), None)
        return above if above in by_id else None

    shown = [span for span in trace["spans"] if names[span["processID"]] != HIDDEN]
    children: dict[str | None, list[Span]] = {}
    for span in sorted(shown, key=lambda span: (span["startTime"], span["operationName"])):
        children.setdefault(parent(span), []).append(span)

    def walk(above: str | None, depth: int) -> Iterator[tuple[int, Span, str]]:
        for span in children.get(above, ()):
            yield depth, span, names[span["processID"]]
            yield from walk(span["spanID"], depth + 1)

    return walk(None, 0)


def draw(answer: dict[str, Any]) -> str:
    """Return the trace as SVG: a row for each span, with its service, its name, a bar and its duration."""
    rows = list(spans_of(answer))
    first = min(span["startTime"] for _, span, _ in rows)
    length = max(span["startTime"] + span["duration"] for _, span, _ in rows) - first
    scale = (WIDTH - LEFT - RIGHT) / length
    height = TOP + ROW * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        'font-family="sans-serif" font-size="13">',
        "<title>A trace of one message</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for quarter in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * quarter / 4
        text = f"{length * quarter / 4 / 1000:.0f} ms"
        parts.append(f'<line x1="{x:.0f}" y1="{TOP - 10}" x2="{x:.0f}" y2="{height - 8}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x:.0f}" y="{TOP - 18}" text-anchor="middle" fill="#6b7280">{text}</text>')
    for number, (depth, span, service) in enumerate(rows):
        parts += row(number, depth, span, service, (span["startTime"] - first) * scale, span["duration"] * scale)
    return "\n".join([*parts, "</svg>"]) + "\n"


def row(number: int, depth: int, span: Span, service: str, start: float, length: float) -> list[str]:
    y = TOP + ROW * number
    colour = COLOURS.get(service, OTHER)
    x = LEFT + start
    return [
        f'<text x="{12 + 16 * depth}" y="{y + 14}"><tspan font-weight="bold" fill="{colour}">{escape(service)}</tspan>'
        f' <tspan fill="#111827">{escape(span["operationName"])}</tspan></text>',
        f'<rect x="{x:.1f}" y="{y + 4}" width="{max(length, 2):.1f}" height="12" rx="2" fill="{colour}"/>',
        f'<text x="{x + max(length, 2) + 6:.1f}" y="{y + 14}" fill="#374151">{span["duration"] / 1000:.0f} ms</text>',
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="Jaeger's address, or a file with its answer")
    parser.add_argument("trace_id", nargs="?", help="the trace; needed with an address")
    given = parser.parse_args()
    if given.trace_id:
        with urlopen(f"{given.source}/api/traces/{given.trace_id}") as response:
            answer = json.load(response)
    else:
        answer = json.loads(Path(given.source).read_text())
    PICTURE.write_text(draw(answer))


if __name__ == "__main__":
    main()
