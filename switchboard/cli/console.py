"""Terminal output: results on stdout, everything else on stderr, each error as one line with an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

from switchboard.client import MeshError, Refused
from switchboard.local.problem import InvalidCommand, Problem

WIDTH_MAX = 110
"""Maximum width of output in columns. Wider lines are hard to read."""

out = Console()
err = Console(stderr=True)


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
