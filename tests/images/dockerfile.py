"""Reads a Dockerfile and a .dockerignore, as far as this project's own use their language; anything else is refused."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

KNOWN = frozenset("ARG COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN USER WORKDIR".split())
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
FLAG = re.compile(r"--([\w-]+)=(\S+)\s+")
PAIR = re.compile(r"""([\w.-]+)=("(?:[^"\\]|\\.)*"|\S+)""")


class NotUnderstood(Exception):
    """A line that this reader does not know how to follow."""


@dataclass(frozen=True)
class Instruction:
    """`flags` are the `--name=value` before the rest, `text` is the rest as it is written."""

    name: str
    text: str
    flags: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        """The text's words, of the JSON form as well."""
        return list(json.loads(self.text)) if self.text.startswith("[") else self.text.split()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """`KEY=value` of ENV, ARG and LABEL; an ARG without a default is none."""
        return [(name, value.strip('"')) for name, value in PAIR.findall(self.text)]


@dataclass
class Stage:
    """From a FROM to the next one."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.name == name]


@dataclass
class Dockerfile:
    """`arguments` are those before the first FROM, with their defaults."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    @property
    def last(self) -> Stage:
        """What a build without `--target` makes."""
        return list(self.stages.values())[-1]


def read_dockerfile(text: str) -> Dockerfile:
    """Raises NotUnderstood."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for instruction in instructions(text):
        if instruction.name == "FROM":
            base, _, name = instruction.text.partition(" AS ")
            if not name or name in stages:
                raise NotUnderstood(f"FROM {instruction.text}: each stage has a name of its own")
            stages[name] = Stage(name, base)
        elif stages:
            list(stages.values())[-1].instructions.append(instruction)
        else:
            arguments.update(instruction.pairs)
    return Dockerfile(arguments, stages)


def instructions(text: str) -> Iterator[Instruction]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        if name not in KNOWN:
            raise NotUnderstood(line)
        flags = {}
        while name != "RUN" and (flag := FLAG.match(rest := rest.lstrip())):
            flags[flag[1]] = flag[2]
            rest = rest[flag.end() :]
        yield Instruction(name, rest.strip(), flags)


def expand(text: str, values: Mapping[str, str]) -> str:
    """With `${NAME}` and `$NAME` filled in; what has no value is empty, as for Docker."""
    return VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


class Ignore:
    """A .dockerignore: of the patterns that match a path or a folder above it, the last one decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self.rules = [(line.startswith("!"), as_pattern(line.removeprefix("!").strip("/"))) for line in lines]

    def leaves_out(self, path: str) -> bool:
        parts = path.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        decided = False
        for kept, rule in self.rules:
            if any(rule.fullmatch(each) for each in above):
                decided = not kept
        return decided


def as_pattern(line: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", line)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces))
