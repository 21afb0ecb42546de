"""Plays the assistant's side of recorded conversations: a pure look-up by what has been said and called so far."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from switchboard.demo_model.catalogue import compile_catalogue
from switchboard.demo_model.conversation import HAND_OFF_PREFIX
from switchboard.demo_model.faults import FormatError
from switchboard.demo_model.rules import decide
from switchboard.demo_model.wire import ApiError, Call, Item, Message, NewCall, Reply, Request

RECORDINGS_MAX = 10_000

SKIPPED_TOOLS = frozenset({"think"})
"""Tools by which a recorded agent spoke to itself. No agent of ours has them, and nothing came of them."""

CONFIRMED = ".confirmed"
"""Ends the id of a call that the mesh itself makes after the customer's yes: no turn of the recording."""

PLACE = re.compile(r"call_m(\d+)_t(\d+)_c\d+")
"""The id of a recorded call: which message of the customer's it is about, and which of the turns."""

THE_END = "(The recording ends here.)"
"""Said when a recording ended with a tool's result, and the conversation goes on."""


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """What the assistant said once: a text, calls, or both."""

    text: str = ""
    calls: tuple[NewCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """`said` are the customer's messages, and `turns` what the assistant did about each of them."""

    agent: str
    customer_id: str
    said: tuple[str, ...]
    turns: tuple[tuple[RecordedTurn, ...], ...]

    def reply(self, request: Request) -> Reply:
        """The next turn of the recording, or the way to the agent that plays it. Raises ApiError (500)."""
        catalogue = compile_catalogue(request.tools_json)
        if not catalogue.functions:
            return decide(request)  # Not a turn of the conversation: somebody wants a summary of it.
        if request.metadata.get("agent", "") != self.agent:
            wanted = HAND_OFF_PREFIX + self.agent
            if catalogue.get(wanted) is None:
                raise _lost(f"the agent {self.agent}, which plays this recording, is not offered")
            return Reply(calls=(NewCall(wanted, '{"reason":"The recording is played there."}'),))
        number, done, at = self._place(request.items)
        turn = next_turn(self.turns[number][done:], request.items[at + 1 :])
        if turn is None:
            return Reply(text=THE_END)
        return Reply(text=turn.text, calls=tuple(self._as_offered(call, request) for call in turn.calls))

    def _place(self, items: tuple[Item, ...]) -> tuple[int, int, int]:
        """The customer's latest recorded message, how many turns about it are done, and the last item of those.

        The oldest part of a long conversation is not sent, so it is found by what is: the latest call, whose id says
        its place, or a message since. Of equal texts the one is meant that has the same texts before it.
        """
        seen = [i for i, item in enumerate(items) if isinstance(item, Message) and item.role == "user"]
        seen = [i for i in seen if _text(items[i]) in self.said and not _is_consent(items, i)]
        calls = [
            (i, place) for i, item in enumerate(items) if isinstance(item, Call) and (place := self._turn_of(item))
        ]
        if calls and (not seen or calls[-1][0] > seen[-1]):
            at, (number, turn) = calls[-1]
            return number, turn + 1, at
        if not seen:
            raise _lost("none of the customer's messages in this request is in the recording")
        visible = [_text(items[i]) for i in seen]
        before = calls[-1][1][0] if calls else -1
        same = [number for number, text in enumerate(self.said) if text == visible[-1]]
        candidates = [number for number in same if number > before] or same
        return max(candidates, key=lambda number: (self._agreeing(number, visible), -number)), 0, seen[-1]

    def _turn_of(self, call: Call) -> tuple[int, int] | None:
        """The message and the turn that a call of this recording belongs to."""
        found = PLACE.fullmatch(call.call_id)
        number, turn = (int(found[1]), int(found[2])) if found else (0, 0)
        known = found and number < len(self.turns) and turn < len(self.turns[number])
        return (number, turn) if known else None

    def _agreeing(self, number: int, visible: list[str]) -> int:
        """How many of the visible texts, from the last one back, are those of the recording up to `number`."""
        pairs = zip(reversed(self.said[: number + 1]), reversed(visible), strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _as_offered(self, call: NewCall, request: Request) -> NewCall:
        """The call without the arguments that say who the customer is: our tools are told that by the session.

        Only where they name this very customer. An agent that asked for another one's data has to be seen to do so.
        """
        function = compile_catalogue(request.tools_json).get(call.name)
        offered = {parameter.name for parameter in function.parameters} if function is not None else set()
        try:
            given = orjson.loads(call.arguments)
        except orjson.JSONDecodeError:
            return call
        if function is None or not isinstance(given, dict) or not self.customer_id:
            return call
        own = {name for name, value in given.items() if name not in offered and value == self.customer_id}
        kept = {name: value for name, value in given.items() if name not in own}
        return replace(call, arguments=orjson.dumps(kept).decode()) if own else call


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings by the session that plays them."""

    by_session: Mapping[str, Recording]

    def reply(self, request: Request) -> Reply:
        """The reply to a request of a recording's session. Raises ApiError (500, `recording_lost`)."""
        recording = self.by_session.get(request.session)
        if recording is None:
            raise _lost(f"there is no recording for the session {request.session!r}")
        return recording.reply(request)


def next_turn(turns: tuple[RecordedTurn, ...], since: tuple[Item, ...]) -> RecordedTurn | None:
    """The first of the turns that is not among the items since the customer's message; None when all are.

    Calls are counted and not compared: the mesh answers each exactly once, also those that it refuses.
    """
    made = sum(isinstance(i, Call) and not _is_of_the_mesh(i) for i in since)
    said = {item.text for item in since if isinstance(item, Message) and item.role == "assistant"}
    for turn in turns:
        done = made >= len(turn.calls) if turn.calls else turn.text in said
        if not done:
            return turn
        made -= len(turn.calls)
    return None


def _is_of_the_mesh(call: Call) -> bool:
    return call.name.startswith(HAND_OFF_PREFIX) or call.call_id.endswith(CONFIRMED)


def _is_consent(items: tuple[Item, ...], index: int) -> bool:
    """Whether this message is the yes that the mesh writes down before it makes what was confirmed."""
    after = items[index + 1] if index + 1 < len(items) else None
    return isinstance(after, Call) and after.call_id.endswith(CONFIRMED)


def _text(item: Item) -> str:
    return item.text if isinstance(item, Message) else ""


def _lost(why: str) -> ApiError:
    return ApiError(500, f"The recording cannot be played: {why}.", code="recording_lost")


def session_of(task_id: object, trial: object) -> str:
    """The session that plays a recording which does not name one."""
    return f"recording-{task_id}-{trial}"


def read_recordings(path: Path) -> Recordings:
    """The recordings in a JSON file. Raises FormatError, OSError."""
    try:
        return parse_recordings(orjson.loads(path.read_bytes()))
    except orjson.JSONDecodeError as error:
        raise FormatError(f"{path} is not valid JSON: {error}") from error


def parse_recordings(raw: object) -> Recordings:
    """Recordings from a list of objects; fields beyond those that are played are passed over. Raises FormatError."""
    if not isinstance(raw, list) or len(raw) > RECORDINGS_MAX:
        raise FormatError(f"recordings must be a list of at most {RECORDINGS_MAX} objects")
    by_session: dict[str, Recording] = {}
    for index, entry in enumerate(raw):
        where = f"recordings[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("messages"), list):
            raise FormatError(f"{where} must be an object with a list of messages")
        session = entry.get("session", session_of(entry.get("task_id"), entry.get("trial")))
        if not isinstance(session, str) or session in by_session:
            raise FormatError(f"{where}: its session must be a text, and no other recording's")
        by_session[session] = _recording(entry, where)
    return Recordings(by_session)


def _recording(entry: Mapping[str, object], where: str) -> Recording:
    agent, customer = entry.get("agent"), entry.get("customer_id", "")
    messages = entry["messages"]
    if not isinstance(agent, str) or not isinstance(customer, str):
        raise FormatError(f"{where}: name the agent that plays it; agent and customer_id must be texts")
    assert isinstance(messages, list)
    said: list[str] = []
    turns: list[list[RecordedTurn]] = []
    for index, message in enumerate(messages):
        at = f"{where}.messages[{index}]"
        match message:
            case {"role": "user", "content": str(text)}:
                said.append(text)
                turns.append([])
            case {"role": "assistant"} if not turns:
                raise FormatError(f"{at}: the customer has to speak first")
            case {"role": "assistant"}:
                turns[-1].append(_turn(message, at))
            case {"role": "tool" | "system"}:
                pass  # What the tools answered then is not said by a model now.
            case _:
                raise FormatError(f"{at} must be a message of a user, an assistant or a tool")
    groups = tuple(placed(number, joined(group)) for number, group in enumerate(turns))
    return Recording(agent, customer, tuple(said), groups)


def placed(number: int, turns: tuple[RecordedTurn, ...]) -> tuple[RecordedTurn, ...]:
    """The turns about one message, each call with the id that tells its place."""
    return tuple(
        replace(
            turn,
            calls=tuple(replace(call, call_id=f"call_m{number}_t{at}_c{i}") for i, call in enumerate(turn.calls)),
        )
        for at, turn in enumerate(turns)
    )


def joined(turns: list[RecordedTurn]) -> tuple[RecordedTurn, ...]:
    """The turns that can be played one by one. A text without a call ends ours, so it goes along with what follows."""
    whole: list[RecordedTurn] = []
    waiting = ""
    for turn in turns:
        text = "\n\n".join(part for part in (waiting, turn.text) if part)
        waiting = "" if turn.calls else text
        if turn.calls:
            whole.append(RecordedTurn(text, turn.calls))
    return (*whole, RecordedTurn(waiting)) if waiting else tuple(whole)


def _turn(message: Mapping[str, object], where: str) -> RecordedTurn:
    text, calls = message.get("content"), message.get("tool_calls")
    if not isinstance(text, str | None) or not isinstance(calls, list | None):
        raise FormatError(f"{where}: content must be a text or null, and tool_calls a list")
    made = [_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls or ())]
    return RecordedTurn(text or "", tuple(call for call in made if call.name not in SKIPPED_TOOLS))


def _call(raw: object, where: str) -> NewCall:
    match raw:
        case {"function": {"name": str(name), "arguments": str(arguments)}}:
            return NewCall(name, arguments)
    raise FormatError(f"{where} must have a function with name and arguments, both texts")
