"""Replays the assistant's side of recorded conversations. The next turn depends on the request alone."""

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
"""Tools that a recorded agent used to think aloud. They have no effect, and our agents do not have them."""

CONFIRMED = re.compile(r".*(\.confirmed|_confirmed_[0-9a-f]{12})")
"""Ids of calls that the mesh makes after the customer's consent: as they are, and as endpoints are sent them, which
refuse a dot in an id. These calls are not turns of the recording."""

CALL_POSITION = re.compile(r"call_m(\d+)_t(\d+)_c\d+")
"""Id of a recorded call, with the index of the customer's message and of the turn."""

RECORDING_ENDED = "(The recording ends here.)"
"""Reply when the recording has ended with a tool's result, but the conversation continues."""


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """One turn of the assistant: a text, calls, or both."""

    text: str = ""
    calls: tuple[NewCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded conversation. `turns` are the assistant's turns after each of `customer_texts`."""

    agent: str
    customer_id: str
    customer_texts: tuple[str, ...]
    turns: tuple[tuple[RecordedTurn, ...], ...]

    def reply(self, request: Request) -> Reply:
        """Return the next turn, or a hand-off to the agent that plays the recording. Raises ApiError (500)."""
        catalogue = compile_catalogue(request.tools_json)
        if not catalogue.functions:
            return decide(request)  # A request for a summary, not a turn of the conversation.
        if request.metadata.get("agent", "") != self.agent:
            wanted = HAND_OFF_PREFIX + self.agent
            if catalogue.get(wanted) is None:
                raise _cannot_play(f"the agent {self.agent}, which plays this recording, is not among the hand-offs")
            return Reply(calls=(NewCall(wanted, '{"reason":"That agent plays the recording."}'),))
        message, done, last = self._position(request.items)
        turn = next_turn(self.turns[message][done:], request.items[last + 1 :])
        if turn is None:
            return Reply(text=RECORDING_ENDED)
        return Reply(text=turn.text, calls=tuple(self._without_customer_id(call, request) for call in turn.calls))

    def _position(self, items: tuple[Item, ...]) -> tuple[int, int, int]:
        """Return the index of the latest recorded message, the number of its finished turns, and their last item.

        Long conversations are sent without their oldest part. So the position comes from the latest call, whose id
        contains it, or from a later message. Of messages with equal text, the one whose preceding texts match is used.
        """
        seen = [i for i, item in enumerate(items) if isinstance(item, Message) and item.role == "user"]
        seen = [i for i in seen if _text(items[i]) in self.customer_texts and not _is_consent(items, i)]
        calls = [
            (i, found) for i, item in enumerate(items) if isinstance(item, Call) and (found := self._turn_of(item))
        ]
        if calls and (not seen or calls[-1][0] > seen[-1]):
            at, (number, turn) = calls[-1]
            return number, turn + 1, at
        if not seen:
            raise _cannot_play("the recording contains none of the customer's messages in this request")
        visible = [_text(items[i]) for i in seen]
        before = calls[-1][1][0] if calls else -1
        same = [number for number, text in enumerate(self.customer_texts) if text == visible[-1]]
        candidates = [number for number in same if number > before] or same
        return max(candidates, key=lambda number: (self._matching_texts(number, visible), -number)), 0, seen[-1]

    def _turn_of(self, call: Call) -> tuple[int, int] | None:
        """Return the indexes of the message and the turn of a recorded call; None for other calls."""
        found = CALL_POSITION.fullmatch(call.call_id)
        number, turn = (int(found[1]), int(found[2])) if found else (0, 0)
        known = found and number < len(self.turns) and turn < len(self.turns[number])
        return (number, turn) if known else None

    def _matching_texts(self, number: int, visible: list[str]) -> int:
        """Count how many of the visible texts, from the last one back, match the recording up to message `number`."""
        pairs = zip(reversed(self.customer_texts[: number + 1]), reversed(visible), strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _without_customer_id(self, call: NewCall, request: Request) -> NewCall:
        """Return the call without arguments that name the customer: our tools get the customer from the session.

        Only this recording's customer is removed: a recorded attempt to read another customer's data must stay visible.
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
        """Reply to a request of a recording's session. Raises ApiError (500, `recording_lost`)."""
        recording = self.by_session.get(request.session)
        if recording is None:
            raise _cannot_play(f"there is no recording for the session {request.session!r}")
        return recording.reply(request)


def next_turn(turns: tuple[RecordedTurn, ...], since: tuple[Item, ...]) -> RecordedTurn | None:
    """Return the first turn that is not among the items since the customer's message; None if all are.

    Calls are counted rather than compared, because the mesh answers each call exactly once, even if it refuses it.
    """
    made = sum(isinstance(i, Call) and not _is_made_by_mesh(i) for i in since)
    said = {item.text for item in since if isinstance(item, Message) and item.role == "assistant"}
    for turn in turns:
        done = made >= len(turn.calls) if turn.calls else turn.text in said
        if not done:
            return turn
        made -= len(turn.calls)
    return None


def _is_made_by_mesh(call: Call) -> bool:
    return call.name.startswith(HAND_OFF_PREFIX) or CONFIRMED.fullmatch(call.call_id) is not None


def _is_consent(items: tuple[Item, ...], index: int) -> bool:
    """Return whether this message is the consent that the mesh records before it makes the confirmed calls."""
    after = items[index + 1] if index + 1 < len(items) else None
    return isinstance(after, Call) and CONFIRMED.fullmatch(after.call_id) is not None


def _text(item: Item) -> str:
    return item.text if isinstance(item, Message) else ""


def _cannot_play(why: str) -> ApiError:
    return ApiError(500, f"The recording cannot be played: {why}.", code="recording_lost")


def session_of(task_id: object, trial: object) -> str:
    """Return the session of a recording that does not name one."""
    return f"recording-{task_id}-{trial}"


def read_recordings(path: Path) -> Recordings:
    """Read the recordings of a JSON file. Raises FormatError, OSError."""
    try:
        return parse_recordings(orjson.loads(path.read_bytes()))
    except orjson.JSONDecodeError as error:
        raise FormatError(f"{path} is not valid JSON: {error}") from error


def parse_recordings(raw: object) -> Recordings:
    """Parse recordings from a list of objects. Other fields are ignored. Raises FormatError."""
    if not isinstance(raw, list) or len(raw) > RECORDINGS_MAX:
        raise FormatError(f"recordings must be a list of at most {RECORDINGS_MAX} objects")
    by_session: dict[str, Recording] = {}
    for index, entry in enumerate(raw):
        where = f"recordings[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("messages"), list):
            raise FormatError(f"{where} must be an object with a list of messages")
        session = entry.get("session", session_of(entry.get("task_id"), entry.get("trial")))
        if not isinstance(session, str) or session in by_session:
            raise FormatError(f"{where}: session must be a string, and differ from the other recordings'")
        by_session[session] = _recording(entry, where)
    return Recordings(by_session)


def _recording(entry: Mapping[str, object], where: str) -> Recording:
    agent, customer = entry.get("agent"), entry.get("customer_id", "")
    messages = entry["messages"]
    if not isinstance(agent, str) or not isinstance(customer, str):
        raise FormatError(f"{where}: agent is required; agent and customer_id must be strings")
    assert isinstance(messages, list)
    texts: list[str] = []
    turns: list[list[RecordedTurn]] = []
    for index, message in enumerate(messages):
        at = f"{where}.messages[{index}]"
        match message:
            case {"role": "user", "content": str(text)}:
                texts.append(text)
                turns.append([])
            case {"role": "assistant"} if not turns:
                raise FormatError(f"{at}: the first message must be the customer's")
            case {"role": "assistant"}:
                turns[-1].append(_turn(message, at))
            case {"role": "tool" | "system"}:
                pass  # A model does not write tool results.
            case _:
                raise FormatError(f"{at}: role must be user, assistant, tool or system")
    groups = tuple(with_call_ids(number, merged(group)) for number, group in enumerate(turns))
    return Recording(agent, customer, tuple(texts), groups)


def with_call_ids(number: int, turns: tuple[RecordedTurn, ...]) -> tuple[RecordedTurn, ...]:
    """Return the turns after one message, with call ids that contain their position."""
    return tuple(
        replace(
            turn,
            calls=tuple(replace(call, call_id=f"call_m{number}_t{at}_c{i}") for i, call in enumerate(turn.calls)),
        )
        for at, turn in enumerate(turns)
    )


def merged(turns: list[RecordedTurn]) -> tuple[RecordedTurn, ...]:
    """Merge each text without calls into the following turn, because such a text ends a turn in the mesh."""
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
        raise FormatError(f"{where}: content must be a string or null, and tool_calls a list")
    made = [_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls or ())]
    return RecordedTurn(text or "", tuple(call for call in made if call.name not in SKIPPED_TOOLS))


def _call(raw: object, where: str) -> NewCall:
    match raw:
        case {"function": {"name": str(name), "arguments": str(arguments)}}:
            return NewCall(name, arguments)
    raise FormatError(f"{where} must have a function with name and arguments, both strings")
