"""Writes for a person: answers on stdout, everything else on stderr, each error as one sentence with an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

from switchboard.client import MeshError, Refused
from switchboard.local.problem import InvalidCommand, Problem

WIDTH_MAX = 110
"""Columns; wider lines are hard to follow."""

out = Console()
err = Console(stderr=True)


def width(console: Console) -> int:
    return min(console.width, WIDTH_MAX)


def on_terminal(console: Console) -> bool:
    """Whether a person is looking. FORCE_COLOR makes Rich say so of a pipe, and there a reply has to stay as it is."""
    return console.file.isatty()


def fail(sentence: str, code: int) -> NoReturn:
    """End the program with a sentence on stderr."""
    err.print(sentence, style="red" if err.is_terminal else None, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(code)


def note(sentence: str) -> None:
    """Something worth knowing, on stderr."""
    err.print(sentence, style="dim", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Print expected errors as one line and exit with their code; let bugs raise."""
    try:
        yield
    except Refused as refusal:
        fail(str(refusal), InvalidCommand.exit_code)
    except MeshError as error:
        fail(str(error), Problem.exit_code)
    except Problem as problem:
        fail(str(problem), problem.exit_code)
