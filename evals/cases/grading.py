"""Grade a played case: yield one sentence per problem, none if the case passed. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from evals.cases.form import Call, Case, Emails, Look, Reply, Turn
from switchboard.agent import HANDOFF_PREFIX
from switchboard.contract import parse_json
from switchboard.loop.call_report import calls_and_results
from switchboard.messages import Message, ModelReply, ToolResult

READS = ("get_", "list_", "search_", "find_", "summarize_", "calculate")
"""Prefixes of the names of read-only tools."""


@dataclass(frozen=True)
class CallMade:
    """A call that a model requested. `ok` says whether it succeeded, `held` whether it waits for consent."""

    tool: str
    arguments: Mapping[str, Any]
    ok: bool
    held: bool = False

    @property
    def is_write(self) -> bool:
        return not self.tool.startswith(READS)


@dataclass(frozen=True)
class TurnResult:
    """The outcome of a message: the last reply, its agent, and the turn's messages. `refused` is an HTTP status.

    `scripted` says that a script played the model's part.
    """

    text: str
    agent: str = ""
    question: str = ""
    failed: bool = False
    refused: int = 0
    messages: Sequence[Message] = ()
    scripted: bool = False


def made_calls(messages: Sequence[Message]) -> list[CallMade]:
    """Return all calls of tools, without hand-offs."""
    return [
        CallMade(
            tool=call.tool,
            arguments=arguments_of(call.arguments),
            ok=result is not None and result.ok,
            held=result is not None and result.outcome == "held",
        )
        for call, result in calls_and_results(messages)
        if not call.tool.startswith(HANDOFF_PREFIX)
    ]


def arguments_of(text: str) -> Mapping[str, Any]:
    try:
        given = parse_json(text or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def wrong_turn(turn: Turn, said: TurnResult) -> Iterator[str]:
    """Yield the problems with the outcome of a message."""
    where = f"“{turn.says}”"
    if turn.refused != said.refused:
        yield f"{where}: expected HTTP {turn.refused or 200}, got {said.refused or 200}: {said.text}"
    if said.failed:
        yield f"{where}: the turn failed: {said.text}"
    if turn.agent and turn.agent != said.agent:
        yield f"{where}: {said.agent or 'no agent'} answered, expected {turn.agent}"
    if turn.asks and not said.question:
        yield f"{where}: the customer was not asked to confirm. The reply was: {said.text}"
    yield from (
        f"{where}: the question {wrong}" for wrong in wrong_text(Reply(must=turn.asks), said.question) if said.question
    )
    yield from (f"{where}: the reply {wrong}" for wrong in wrong_text(turn.reply, said.text))
    made = made_calls(said.messages)
    for call in turn.calls:
        if not any(one.ok and matches(call, one) for one in made):
            names = ", ".join(one.tool for one in made) or "none"
            yield f"{where}: no successful call of {format_call(call)}; calls made: {names}"
    yield from (f"{where}: no call was refused with /{pattern}/" for pattern in missing_refusals(turn, said))
    most = most_at_once(said.messages)
    if most < turn.at_once:
        yield f"{where}: {most} calls at once, expected {turn.at_once}"


def missing_refusals(turn: Turn, said: TurnResult) -> list[str]:
    """Return the expected refusals of a scripted model's calls that did not happen."""
    words = [message.content for message in said.messages if isinstance(message, ToolResult) and not message.ok]
    return [pattern for pattern in turn.refusals if said.scripted and not any(found(pattern, one) for one in words)]


def most_at_once(messages: Sequence[Message]) -> int:
    steps = [message.calls for message in messages if isinstance(message, ModelReply)]
    return max((sum(not call.tool.startswith(HANDOFF_PREFIX) for call in calls) for calls in steps), default=0)


def wrong_text(reply: Reply, text: str) -> Iterator[str]:
    for pattern in reply.must:
        if not found(pattern, text):
            yield f"does not match /{pattern}/: {text}"
    for pattern in reply.must_not:
        if found(pattern, text):
            yield f"must not match /{pattern}/: {text}"


def found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def wrong_writes(case: Case, messages: Sequence[Message]) -> Iterator[str]:
    """Yield expected writes that are missing, and unexpected writes."""
    done = [one for one in made_calls(messages) if one.is_write and one.ok]
    for call in case.writes:
        fitting = next((one for one in done if matches(call, one)), None)
        if fitting is None:
            yield f"missing write: {format_call(call)}"
        else:
            done.remove(fitting)
    yield from (f"unexpected write: {one.tool} {dict(one.arguments)}" for one in done)


def matches(call: Call, made: CallMade) -> bool:
    return call.tool == made.tool and all(
        same(wanted, made.arguments.get(name)) for name, wanted in call.arguments.items()
    )


def same(wanted: Any, got: Any) -> bool:
    """Return whether a value matches the case. A number may be written as text; objects may have more fields."""
    if isinstance(wanted, dict) and set(wanted) == {"matches"}:
        return isinstance(got, str) and found(str(wanted["matches"]), got)
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(same(value, got.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(same, wanted, got))
    if isinstance(wanted, bool) or wanted is None:
        return wanted is got
    return str(wanted).casefold() == str(got).casefold() or (
        number(wanted) is not None and number(wanted) == number(got)
    )


def number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def wrong_look(look: Look, ok: bool, value: Any) -> Iterator[str]:
    """Yield the problems with the final state."""
    where = f"afterwards {look.call.tool}"
    if ok == look.fails:
        yield f"{where} {'succeeded' if ok else 'failed'}: {value}"
        return
    for path, wanted in look.result.items():
        got = at(value, path)
        if not same(wanted, got):
            yield f"{where}: {path} is {got!r}, expected {wanted!r}"


def at(value: Any, path: str) -> Any:
    """Return the value at a path such as `accounts.0.balance`, None if there is none. `#` is a list's length."""
    for part in path.split("."):
        if isinstance(value, list):
            value = (
                len(value) if part == "#" else value[int(part)] if part.isdecimal() and int(part) < len(value) else None
            )
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def wrong_emails(emails: Emails, sent: Sequence[str]) -> Iterator[str]:
    if len(sent) != emails.count:
        yield f"{len(sent)} e-mails were sent, expected {emails.count}"
    yield from (f"the text of the e-mails {wrong}" for wrong in wrong_text(Reply(must=emails.must), "\n".join(sent)))


def format_call(call: Call) -> str:
    return f"{call.tool} {dict(call.arguments)}" if call.arguments else call.tool
