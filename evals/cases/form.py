"""The format of a case: messages, expected replies, and the expected final state. Values only."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

FOLDER = Path(__file__).parent
ANSWERS_MAX = 3
"""Maximum number of the customer's answers to a model's questions per message."""


class BadCase(Exception):
    """A file of cases is invalid; the message names the file and the problem."""


def compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(compiles)]
"""A regular expression to search for, without regard to case."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(_Part):
    """Patterns that a reply must match, all of them, and patterns that it must not match."""

    must: tuple[Pattern, ...] = ()
    must_not: tuple[Pattern, ...] = ()


class Call(_Part):
    """A call of a tool. It must have these arguments; {matches: regex} matches a text."""

    tool: str
    arguments: dict[str, JsonValue] = {}


class Step(_Part):
    """One step of a scripted model: calls, or a text in which {tool.path} stands for a tool's result."""

    text: str = ""
    calls: tuple[Call, ...] = ()


class Turn(_Part):
    """A message of the customer and its expected outcome.

    - `asks`: patterns for the consent question; if given, there must be one.
    - `decides`: the customer's answer to a consent question. `reply` is then checked against the reply after it.
    - `calls`: calls that must have been made, in any order. `at_once` is the minimum number of calls in one step.
    - `script`: the steps of a scripted model. `after_yes` are its steps after the customer has confirmed.
    - `refusals`: patterns for the tools' refusals of the script's calls. A good model would not make these calls.
    """

    says: str
    script: tuple[Step, ...] = ()
    after_yes: tuple[Step, ...] = ()
    agent: str = ""
    asks: tuple[Pattern, ...] = ()
    decides: Literal["yes", "no"] | None = None
    reply: Reply = Reply()
    calls: tuple[Call, ...] = ()
    refusals: tuple[Pattern, ...] = ()
    at_once: int = 0
    refused: int = Field(0, description="The HTTP status with which the session must refuse the message.")
    customer: str = Field("", description="The sender, if it is not the case's customer.")


class Knows(_Part):
    """An answer that the customer gives if a reply asks for it."""

    when: Pattern
    says: str


class Setup(_Part):
    """A call that an agent makes for a customer before the conversation. It must succeed."""

    customer: str
    agent: str
    call: Call


class Look(_Part):
    """A check of the final state with an agent's read. Each path in the result must have the given value.

    A path consists of names and numbers: `accounts.0.balance`. `fails` is for a read that must fail.
    """

    customer: str = ""
    agent: str
    call: Call
    result: dict[str, JsonValue] = {}
    fails: bool = False


class Emails(_Part):
    """The e-mails sent to all customers: their number, and patterns that must match in their joined text."""

    count: int
    must: tuple[Pattern, ...] = ()


class Case(_Part):
    """One conversation in one session. `writes` lists all calls that change something; others are errors.

    `demo` says that the demo model can play the case by its rules. If not, a script plays the model's part: either a
    good model, to show that the case can be passed, or a bad one, to show that its calls have no effect. `agent` is the
    agent that plays the script.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    about: str
    customer: str = "alice"
    demo: bool = False
    agent: str = ""
    setup: tuple[Setup, ...] = ()
    knows: tuple[Knows, ...] = ()
    turns: tuple[Turn, ...] = Field(min_length=1)
    writes: tuple[Call, ...] = ()
    looks: tuple[Look, ...] = ()
    emails: Emails = Emails(count=0)

    @property
    def changes_nothing(self) -> bool:
        """Whether the next case finds the initial state, if this one has passed. Each has a session of its own."""
        return not self.writes and not self.setup and self.emails.count == 0


def read_cases(folder: Path = FOLDER) -> list[Case]:
    """Return all cases in a folder's YAML files, ordered by file name. Raises BadCase."""
    cases = [case for path in sorted(folder.glob("*.yaml")) for case in read_file(path)]
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadCase(f"two cases are named {twice[0]}")
    return cases


def read_file(path: Path) -> Iterator[Case]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from TypeAdapter(list[Case]).validate_python(raw)
    except (yaml.YAMLError, ValidationError) as error:
        raise BadCase(f"{path.name}: {error}") from error


def chosen(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """Return the cases with these names, or all. Raises BadCase."""
    unknown = sorted(set(names) - {case.name for case in cases})
    if unknown:
        raise BadCase(f"there is no case {unknown[0]}")
    return [case for case in cases if not names or case.name in names]
