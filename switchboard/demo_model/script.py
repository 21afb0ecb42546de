"""Replies from a script of scenes, chosen by the last user message and the number of replies since. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from switchboard.demo_model.conversation import HAND_OFF_PREFIX, Conversation, count_replies
from switchboard.demo_model.faults import Fault, FormatError, parse_fault, whole_number
from switchboard.demo_model.settings import LATENCY_MAX_MS
from switchboard.demo_model.wire import ApiError, Call, NewCall, Reply, Request

SCENES_MAX = 10_000

_REFERENCE = re.compile(r"\{(\w+)((?:\.\w+)+)\}")
_SCENE_FIELDS = frozenset(["user", "agent", "steps", "steps_from"])
_STEP_FIELDS = frozenset(["text", "calls", "refusal", "empty", "incomplete", "latency_ms", "fault", "then"])


@dataclass(frozen=True, slots=True)
class Step:
    reply: Reply
    fault: Fault | None = None
    then: "Step | None" = None


@dataclass(frozen=True, slots=True)
class Scene:
    """`user` is searched in the last user message. `since_hand_off` counts steps from the last hand-off."""

    user: re.Pattern[str]
    agent: str
    steps: tuple[Step, ...]
    since_hand_off: bool


@dataclass(frozen=True, slots=True)
class Position:
    """A request's position in the script. Equal for retries of the same request."""

    scene: int
    step: int


@dataclass(frozen=True, slots=True)
class Script:
    scenes: tuple[Scene, ...]

    def find(self, request: Request) -> tuple[Position, Step]:
        """Return the step for this request. Raises ApiError (500, `script_exhausted`)."""
        talk = Conversation(request.items)
        said, agent = talk.last_user_text.strip(), request.metadata.get("agent", "")
        for number, scene in enumerate(self.scenes):
            if scene.agent in ("", agent) and scene.user.search(said):
                index = _replies_since_hand_off(talk) if scene.since_hand_off else talk.replies
                if index < len(scene.steps):
                    return Position(number, index), scene.steps[index]
                raise _exhausted(f"Scene {number} has {len(scene.steps)} steps, none for reply {index}", said, agent)
        raise _exhausted("No scene", said, agent)


def _exhausted(what: str, said: str, agent: str) -> ApiError:
    return ApiError(500, f"{what} for agent {agent!r} and the user message {said!r}.", code="script_exhausted")


def _replies_since_hand_off(talk: Conversation) -> int:
    since = talk.items[talk.last_user + 1 :]
    handed = [i for i, item in enumerate(since) if isinstance(item, Call) and item.name.startswith(HAND_OFF_PREFIX)]
    return count_replies(since[handed[-1] + 1 :] if handed else since)


def fill_references(reply: Reply, request: Request) -> Reply:
    """Replace each {tool.path} in the reply from that tool's JSON output. Raises ApiError (500)."""
    if "{" not in reply.text:
        return reply
    talk = Conversation(request.items)
    outputs = {result.name: result.output for result in talk.results_since(talk.last_user)}
    return replace(reply, text=_REFERENCE.sub(lambda match: _look_up(match[1], match[2], outputs), reply.text))


def _look_up(tool: str, path: str, outputs: Mapping[str, str]) -> str:
    try:
        value: object = orjson.loads(outputs[tool])
        for key in path[1:].split("."):
            value = _member(value, key)
    except (LookupError, ValueError) as error:
        message = f"The script refers to {{{tool}{path}}}, which is in no output after the last user message."
        raise ApiError(500, message, code="script_reference_missing") from error
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _member(value: object, key: str) -> object:
    """Return a member of an object, or of a list by index. Raises LookupError, ValueError."""
    if isinstance(value, list):
        return value[int(key)]
    if isinstance(value, dict):
        return value[key]
    raise LookupError(key)


def read_script(path: Path) -> Script:
    """Read a script from a YAML (.yaml, .yml) or JSON file. Raises FormatError, OSError."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml"):
        # Imported here, so that servers without a YAML script do not need the package.
        import yaml  # noqa: PLC0415

        try:
            return parse_script(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise FormatError(f"{path} is not valid YAML: {error}") from error
    try:
        return parse_script(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise FormatError(f"{path} is not valid JSON: {error}") from error


def parse_script(raw: object) -> Script:
    """Parse a script from a list of scenes. Raises FormatError."""
    if not isinstance(raw, list) or len(raw) > SCENES_MAX:
        raise FormatError(f"a script must be a list of at most {SCENES_MAX} scenes")
    return Script(tuple(_scene(scene, f"scenes[{i}]") for i, scene in enumerate(raw)))


def _scene(raw: object, where: str) -> Scene:
    fields = _object(raw, where, _SCENE_FIELDS)
    steps, since = fields.get("steps"), fields.get("steps_from", "user")
    if not isinstance(steps, list):
        raise FormatError(f"{where}.steps must be a list")
    if since not in ("user", "hand_off"):
        raise FormatError(f"{where}.steps_from must be user or hand_off")
    parsed = tuple(_step(step, f"{where}.steps[{i}]") for i, step in enumerate(steps))
    return Scene(_user(fields.get("user"), f"{where}.user"), _text(fields, "agent", where), parsed, since == "hand_off")


def _user(raw: object, where: str) -> re.Pattern[str]:
    if isinstance(raw, str):
        return re.compile(rf"\A{re.escape(raw.strip())}\Z", re.I)
    fields = _object(raw, where, frozenset(["contains", "matches"]))
    if len(fields) != 1:
        raise FormatError(f"{where} must be a string, {{contains: text}} or {{matches: regex}}")
    if "contains" in fields:
        return re.compile(re.escape(_text(fields, "contains", where)), re.I)
    try:
        return re.compile(_text(fields, "matches", where))
    except re.error as error:
        raise FormatError(f"{where}.matches is not a regular expression: {error}") from error


def _step(raw: object, where: str) -> Step:
    fields = _object(raw, where, _STEP_FIELDS)
    if "fault" in fields:
        if "then" not in fields:
            raise FormatError(f"{where} needs `then`, the step after the fault")
        fault = parse_fault(fields["fault"], f"{where}.fault")
        return Step(Reply(), fault, _step(fields["then"], f"{where}.then"))
    calls = fields.get("calls", [])
    if not isinstance(calls, list) or not fields:
        raise FormatError(f"{where} must have text, calls, refusal, empty, incomplete or fault")
    return Step(
        Reply(
            text=_text(fields, "text", where),
            calls=tuple(_call(call, f"{where}.calls[{i}]") for i, call in enumerate(calls)),
            refusal=_text(fields, "refusal", where),
            incomplete=fields.get("incomplete") is True,
            latency_ms=whole_number(fields.get("latency_ms", 0), f"{where}.latency_ms", highest=LATENCY_MAX_MS),
        )
    )


def _call(raw: object, where: str) -> NewCall:
    fields = _object(raw, where, frozenset(["name", "arguments"]))
    arguments = fields.get("arguments", {})
    if not _text(fields, "name", where) or not isinstance(arguments, str | dict):
        raise FormatError(f"{where} must have a name, and arguments as an object or a string")
    return NewCall(
        _text(fields, "name", where), arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    )


def _object(raw: object, where: str, known: frozenset[str]) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise FormatError(f"{where} must be an object with {', '.join(sorted(known))}")
    if unknown := set(raw) - known:
        raise FormatError(f"{where} has unknown fields: {', '.join(sorted(map(str, unknown)))}")
    return raw


def _text(fields: Mapping[str, object], name: str, where: str) -> str:
    value = fields.get(name, "")
    if isinstance(value, str):
        return value
    raise FormatError(f"{where}.{name} must be a string")
