"""Writes docs/reference/cli.md from the help of the `switchboard` command: `make reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from switchboard.cli.__main__ import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
HEADER = """\
# Command line

<!-- Written by `make reference` from the commands' own help. -->

The extra `cli` installs the command `switchboard`. `up`, `demo` and `values` read `mesh.toml` in the current folder.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | an error: the message says what happened and what to do next |
| 2 | a wrong option or argument, an error in mesh.toml, or a request that the mesh rejects |
| 3 | `switchboard ask` only: the reply is an apology |
| 130 | stopped by Ctrl-C |
"""


def paths(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, in the order of the help."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path
        return
    if command.invoke_without_command:
        yield path
    for name, child in children.items():
        yield from paths(child, (*path, name))


def help_of(path: tuple[str, ...]) -> str:
    """Return the output of `--help`, on a terminal of 80 columns."""
    result = CliRunner().invoke(app, [*path[1:], "--help"], prog_name="switchboard", env={"COLUMNS": "80"})
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def page() -> str:
    sections = [HEADER]
    for path in paths(typer.main.get_command(app), ("switchboard",)):
        sections.append(f"## {' '.join(path)}\n```\n{help_of(path)}\n```\n")
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page())
