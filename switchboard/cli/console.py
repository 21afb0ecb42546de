"""Terminal output: results on stdout, everything else on stderr, each error as one line with an exit code.

All output goes through `out` and `err`, which show control characters instead of sending them to the terminal. The
texts of customers, models and services could otherwise set the terminal's title or clipboard, or draw over other lines.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from switchboard.cli.text import visible
from switchboard.client import MeshError, Refused
from switchboard.local.problem import InvalidCommand, Problem

WIDTH_MAX = 110
"""Maximum width of output in columns. Wider lines are hard to read."""


class VisibleConsole(Console):
    """A console that shows control characters, and that makes no link or style of what a text contains."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as usual. Segments with control codes are Rich's own, such as those of the progress display."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


out = VisibleConsole(markup=False, emoji=False)
err = VisibleConsole(stderr=True, markup=False, emoji=False)


def width(console: Console) -> int:
    return min(console.width, WIDTH_MAX)


def on_terminal(console: Console) -> bool:
    """Return whether the console is a terminal. Rich's own check is also true for a pipe when FORCE_COLOR is set."""
    return console.file.isatty()


def fail(sentence: str, code: int) -> NoReturn:
    """Print an error on stderr and exit with the code."""
    err.print(sentence, style="red" if err.is_terminal else None, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(code)


def note(sentence: str) -> None:
    """Print additional information on stderr."""
    err.print(sentence, style="dim", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def report_errors() -> Iterator[None]:
    """Print expected errors as one line and exit with their code; let bugs raise."""
    try:
        yield
    except Refused as refusal:
        fail(str(refusal), InvalidCommand.exit_code)
    except MeshError as error:
        fail(str(error), Problem.exit_code)
    except Problem as problem:
        fail(str(problem), problem.exit_code)
