"""Asks a model once with everything that a conversation contains, and finds out what its endpoint does not take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from switchboard.agent import Agent
from switchboard.contract import NoInput, Tool
from switchboard.messages import Card, Identity, ModelReply, Note, ToolCall, ToolResult, TurnRequest, UserText
from switchboard.models.connect import model_of
from switchboard.models.model import ModelRejected, ModelUnavailable
from switchboard.models.providers import NoteRole, Optional
from switchboard.models.settings import Choice, ModelSettings

TRIAL = "switchboard-doctor"


class Time(BaseModel):
    time: str


ASKED = Agent(
    name="Clock",
    handles="The time of day.",
    instructions="Tell the customer the time. Answer in one short sentence.",
    tools=(Tool("Clock", "get_time", "Returns the time of day.", NoInput, Time, read_only=True),),
)
CALL = ToolCall(call_id="call_1", tool="get_time", arguments="{}")
REQUEST = TurnRequest(
    identity=Identity(session_id=TRIAL, customer_id=TRIAL),
    transcript=(
        UserText(text="What time is it?"),
        ModelReply(agent="Clock", text="Let me see.", calls=(CALL,)),
        ToolResult(call_id=CALL.call_id, ok=True, content='{"time": "12:00"}'),
        ModelReply(agent="Clock", text="It is 12:00."),
        Note(text="The customer seems to be in a hurry."),
        UserText(text="Thanks. Just say: you are welcome."),
    ),
    peers=(Card(name="Archive", handles="Everything about the past."),),
)


@dataclass(frozen=True)
class TrialResult:
    """`accepted` when the endpoint answered. Otherwise `why` it did not, and the `settings` with which it does."""

    accepted: bool
    why: str = ""
    kind: str = ""
    settings: tuple[str, ...] = ()


async def try_model(choice: Choice, settings: ModelSettings) -> TrialResult:
    """Send one real request with history, a call, its result, a note and tools. It costs some hundred tokens.

    When it is rejected, it is sent again with fewer optional fields and with the other wire API of OpenAI, until one
    is accepted.
    """
    first = await ask_once(choice, settings)
    if first.accepted or first.kind in {"401", "403", "404"} or not first.kind.isdigit():
        return first
    for variables, other in alternatives(choice):
        if (await ask_once(other, settings)).accepted:
            return replace(first, settings=variables)
    return first


def alternatives(choice: Choice) -> Iterator[tuple[tuple[str, ...], Choice]]:
    """Each way to ask that takes less for granted, with the settings that choose it."""
    prefix, sends = choice.provider.prefix, choice.provider.sends
    fewer = [*(sends - {field} for field in sorted(sends)), frozenset[Optional]()] if sends else []
    for left in fewer:
        yield (sends_setting(prefix, sorted(left)),), with_fields(choice, left)
    if choice.api == "responses":
        bare = with_fields(replace(choice, api="chat"), frozenset())
        yield (f"{prefix}_WIRE_API=chat", sends_setting(prefix, ())), bare


def with_fields(choice: Choice, sends: frozenset[Optional]) -> Choice:
    notes: NoteRole = "developer" if "developer" in sends else "user"
    return replace(choice, provider=replace(choice.provider, sends=sends, notes=notes))


def sends_setting(prefix: str, fields: Sequence[str]) -> str:
    return f"{prefix}_SENDS={','.join(fields) or 'none'}"


async def ask_once(choice: Choice, settings: ModelSettings) -> TrialResult:
    try:
        await model_of(choice, settings).ask(ASKED, REQUEST, [])
    except (ModelRejected, ModelUnavailable) as error:
        return TrialResult(accepted=False, why=str(error), kind=error.kind)
    return TrialResult(accepted=True)
