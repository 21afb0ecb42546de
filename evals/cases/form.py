"""What a case says: the messages, what each reply has to hold, and how everything has to end. Values only."""

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
"""How often a customer answers a model's question before a message counts as answered."""


class BadCase(Exception):
    """A file of cases is not what it should be; the message names it and says what is wrong."""


def compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(compiles)]
"""A regular expression that is searched for; upper and lower case are the same."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(_Part):
    """What a reply has to hold, each of it, and what it must not hold, none of it."""

    must: tuple[Pattern, ...] = ()
    must_not: tuple[Pattern, ...] = ()


class Call(_Part):
    """A call of a tool. Arguments that are named have to be there; {matches: regex} stands for a text."""

    tool: str
    arguments: dict[str, JsonValue] = {}


class Step(_Part):
    """What a scripted model says once: calls, or a text, in which {tool.path} stands for what a tool answered."""

    text: str = ""
    calls: tuple[Call, ...] = ()


class Turn(_Part):
    """A message of the customer and what has to come of it.

    `decides` is what the customer says to a question of consent, if one comes, and then `reply` is of what came after
    that. `asks` is what that question has to hold; a turn that has it must ask. `calls` have to be among those that
    were made, in any order, and `at_once` says how many of one step there have to be. `script` is what a scripted model
    does about the message, `after_yes` what it does once the customer has confirmed, and `refusals` are the words with
    which tools have to refuse what it does: a good model would not try.
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
    refused: int = Field(0, description="The HTTP status of a message that the session must not take.")
    customer: str = Field("", description="Who says it, when it is not the case's customer.")


class Knows(_Part):
    """What the customer answers when a reply asks for it."""

    when: Pattern
    says: str


class Setup(_Part):
    """A call that was made before the conversation, by an agent for a customer; it has to succeed."""

    customer: str
    agent: str
    call: Call


class Look(_Part):
    """A look at the state afterwards, with a read of an agent's; each path in the result has to have this value.

    A path is of names and numbers: `accounts.0.balance`. `fails` is for a read that must not succeed.
    """

    customer: str = ""
    agent: str
    call: Call
    result: dict[str, JsonValue] = {}
    fails: bool = False


class Emails(_Part):
    """The e-mails that were sent, to anybody: how many, and what all of them together have to hold."""

    count: int
    must: tuple[Pattern, ...] = ()


class Case(_Part):
    """One conversation in one session. `writes` are all calls that changed something, and there are no others.

    `demo` says that the demo model is able to play it by its rules. Where it is not, a script says what a model does:
    the right things, to show that the case can be passed, or the wrong ones, to show that nothing comes of them.
    `agent` is who plays the script.
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


def read_cases(folder: Path = FOLDER) -> list[Case]:
    """All cases of a folder's YAML files, in the order of the files' names. Raises BadCase."""
    cases = [case for path in sorted(folder.glob("*.yaml")) for case in read_file(path)]
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadCase(f"two cases are called {twice[0]}")
    return cases


def read_file(path: Path) -> Iterator[Case]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from TypeAdapter(list[Case]).validate_python(raw)
    except (yaml.YAMLError, ValidationError) as error:
        raise BadCase(f"{path.name}: {error}") from error


def chosen(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """The cases of these names, or all. Raises BadCase."""
    unknown = sorted(set(names) - {case.name for case in cases})
    if unknown:
        raise BadCase(f"there is no case {unknown[0]}")
    return [case for case in cases if not names or case.name in names]
