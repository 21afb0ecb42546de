"""Checks shell commands of the documentation without running them: the programs, subcommands, flags and files exist."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from switchboard.cli.__main__ import app
from tests.docs.pages import ROOT, Block

SHELL = ("sh", "bash", "console")
BUILTINS = frozenset({".", "cd", "export", "for", "do", "done", "set"})
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
HEREDOC = re.compile(r"<<-? ?['\"]?(\w+)['\"]?")
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")

CHECKED_NOWHERE = "is checked by nothing: mark its block with `<!-- not run: why -->` or `<!-- run by: tests/… -->`"


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of a block, without comments, outputs, assignments and here-documents."""
    for line in lines(block):
        for inner in SUBSTITUTION.findall(line):
            yield from split(inner)
        yield from split(SUBSTITUTION.sub("SUBSTITUTED", line))


def lines(block: Block) -> Iterator[str]:
    """Yield the command lines: continued lines joined; of a console only what follows the prompt."""
    text = block.text.replace("\\\n", " ")
    until = ""
    for line in text.splitlines():
        if until:
            until = "" if line.strip() == until else until
            continue
        if block.language == "console":
            if not line.startswith("$ "):
                continue
            line = line.removeprefix("$ ")
        if heredoc := HEREDOC.search(line):
            until = heredoc[1]
        if line.strip():
            yield line


def split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set("|&;()"):
            while command and (ASSIGNMENT.match(command[0]) or command[0] in ("do", "then")):
                command.pop(0)
            if command:
                yield command
            command = []
        else:
            command.append(word)


def problem(command: list[str], marked: bool) -> str | None:
    """Return what is wrong with a command; None when it is right, or when its block says that it is not checked."""
    program, *arguments = command
    if program in BUILTINS:
        return None
    check = CHECKS.get(Path(program).name)
    if check is None:
        return None if marked else f"{program} {CHECKED_NOWHERE}"
    return check(arguments)


def problem_with_switchboard(arguments: list[str]) -> str | None:
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while children := getattr(command, "commands", None):
        if not rest or rest[0] not in children:
            return f"switchboard has no command {' '.join(arguments[:2])}"
        command = children[rest.pop(0)]
    known = {"--help", "-h"} | {name for each in command.params for name in each.opts}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
    return f"switchboard {command.name} has no option {unknown[0]}" if unknown else None


def problem_with_make(arguments: list[str]) -> str | None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    unknown = [word for word in arguments if "=" not in word and word not in targets]
    return f"make has no target {unknown[0]}" if unknown else None


def problem_with_python(arguments: list[str]) -> str | None:
    if arguments and arguments[0].endswith(".py"):
        return None if (ROOT / arguments[0]).exists() else f"python {arguments[0]}: there is no such file"
    if arguments[:1] != ["-m"]:
        return f"python {CHECKED_NOWHERE}" if arguments[:1] != ["-c"] else None
    module, rest = arguments[1], arguments[2:]
    if module in ("venv", "hatchling"):
        return None
    place = ROOT.joinpath(*module.split("."))
    if place.with_suffix(".py").exists():
        sources = list(place.parent.glob(f"{place.name}*.py"))  # What a module does not know itself, it passes on.
    elif (place / "__main__.py").exists():
        sources = list(place.rglob("*.py"))
    elif module == "services.status":
        return None  # The service that the page on agents adds.
    else:
        return f"python -m {module}: there is no such module"
    text = "\n".join(source.read_text() for source in sources)
    unknown = [word for word in rest if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text]
    return f"python -m {module} has no option {unknown[0]}" if unknown else None


def problem_with_helm(arguments: list[str]) -> str | None:
    """Charts and files of values exist. That each shown `--set` is accepted is tested in tests/charts."""
    for word in arguments:
        if word.startswith("deploy/helm/") and not (ROOT / word).exists():
            return f"helm: there is no {word}"
    return None


def problem_with_pytest(arguments: list[str]) -> str | None:
    for word in arguments:
        if not (word == "--always-replay" or (ROOT / word).exists()):
            return f"pytest: {word} is neither a known option nor a file"
    return None


def problem_with_promtool(arguments: list[str]) -> str | None:
    files = [word for word in arguments if "/" in word]
    missing = [word for word in files if not list(ROOT.glob(word))]
    return f"promtool: there is no {missing[0]}" if missing else None


CHECKS: dict[str, Callable[[list[str]], str | None]] = {
    "switchboard": problem_with_switchboard,
    "make": problem_with_make,
    "python": problem_with_python,
    "python3": problem_with_python,
    "helm": problem_with_helm,
    "pytest": problem_with_pytest,
    "promtool": problem_with_promtool,
}
