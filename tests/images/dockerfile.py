"""Parse a Dockerfile and a .dockerignore. Supports only the syntax that this project uses and rejects the rest."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

KNOWN = frozenset("ARG COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN USER WORKDIR".split())
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
FLAG = re.compile(r"--([\w-]+)=(\S+)\s+")
PAIR = re.compile(r"""([\w.-]+)=("(?:[^"\\]|\\.)*"|\S+)""")


class UnsupportedSyntax(Exception):
    """The parser does not support this line."""


@dataclass(frozen=True)
class Instruction:
    """`flags` are the leading `--name=value`; `text` is the rest as written."""

    name: str
    text: str
    flags: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        """The words of the text, which may be in JSON form."""
        return list(json.loads(self.text)) if self.text.startswith("[") else self.text.split()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """`KEY=value` of ENV, ARG and LABEL. An ARG without a default yields no pair."""
        return [(name, value.strip('"')) for name, value in PAIR.findall(self.text)]


@dataclass
class Stage:
    """The instructions from one FROM to the next."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.name == name]


@dataclass
class Dockerfile:
    """`arguments` are the ARGs before the first FROM, with their defaults."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    @property
    def last(self) -> Stage:
        """The stage that a build without `--target` builds."""
        return list(self.stages.values())[-1]


def read_dockerfile(text: str) -> Dockerfile:
    """Parse a Dockerfile. Raises UnsupportedSyntax."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for instruction in instructions(text):
        if instruction.name == "FROM":
            base, _, name = instruction.text.partition(" AS ")
            if not name or name in stages:
                raise UnsupportedSyntax(f"FROM {instruction.text}: each stage needs a unique name")
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
            raise UnsupportedSyntax(line)
        flags = {}
        while name != "RUN" and (flag := FLAG.match(rest := rest.lstrip())):
            flags[flag[1]] = flag[2]
            rest = rest[flag.end() :]
        yield Instruction(name, rest.strip(), flags)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `$NAME`. As in Docker, unknown variables are empty."""
    return VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


class Ignore:
    """A .dockerignore: the last pattern that matches a path or one of its parent folders decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self.rules = [(line.startswith("!"), as_pattern(line.removeprefix("!").strip("/"))) for line in lines]

    def ignores(self, path: str) -> bool:
        parts = path.split("/")
        prefixes = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        ignored = False
        for kept, rule in self.rules:
            if any(rule.fullmatch(each) for each in prefixes):
                ignored = not kept
        return ignored


def as_pattern(line: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", line)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces))
