"""Injected faults: which requests fail, and how. Knows nothing about HTTP connections."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from switchboard.demo_model.catalogue import compile_catalogue
from switchboard.demo_model.conversation import Conversation
from switchboard.demo_model.settings import LATENCY_MAX_MS
from switchboard.demo_model.wire import ApiError, NewCall, Reply, Request

FAULTS_MAX = 100
RETRY_AFTER_DEFAULT_S = 1
ALWAYS = -1

BROKEN_ARGUMENTS = '{"broken": '
INVENTED_TOOL = "a_tool_that_does_not_exist"
GARBAGE = b"<html><body>upstream connect error</body></html>"


class FaultKind(StrEnum):
    LATENCY = "latency"
    HTTP_400 = "http_400"
    HTTP_401 = "http_401"
    HTTP_404 = "http_404"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_503 = "http_503"
    TIMEOUT = "timeout"
    BROKEN_JSON = "broken_json"
    INVENTED_TOOL = "invented_tool"
    EMPTY = "empty"
    GARBAGE = "garbage"
    HANG_UP = "hang_up"
    BREAK_OFF = "break_off"


# Faults without an HTTP response. The HTTP server carries them out.
SILENT_KINDS = frozenset([FaultKind.TIMEOUT, FaultKind.HANG_UP])

_FIELDS = frozenset(["kind", "times", "latency_ms", "retry_after_s", "contains"])


class FormatError(Exception):
    """A fault, script or recording has an invalid format. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` is the number of requests that fail, -1 for all. The last user message must contain `contains`."""

    kind: FaultKind
    times: int = 1
    latency_ms: int = 0
    retry_after_s: int = RETRY_AFTER_DEFAULT_S
    contains: str = ""


@dataclass(slots=True)
class FaultPlan:
    """The injected faults and how often each still applies. The first that matches a request is used."""

    _left: list[tuple[Fault, int]] = field(default_factory=list)

    def replace(self, faults: list[Fault]) -> None:
        self._left = [(fault, fault.times) for fault in faults]

    def as_json(self) -> list[dict[str, object]]:
        return [{"kind": f.kind, "left": left, "contains": f.contains} for f, left in self._left]

    def take(self, request: Request) -> Fault | None:
        """Return the fault for this request, if any, and count it down."""
        if not self._left:
            return None
        said = Conversation(request.items).last_user_text.lower()
        for index, (fault, left) in enumerate(self._left):
            if left != 0 and fault.contains.lower() in said:
                self._left[index] = (fault, left - 1 if left > 0 else left)
                return fault
        return None


def parse_faults(raw: object) -> list[Fault]:
    """Parse faults from a JSON list of objects. Raises FormatError."""
    if not isinstance(raw, list) or len(raw) > FAULTS_MAX:
        raise FormatError(f"faults must be a list of at most {FAULTS_MAX} objects")
    return [parse_fault(entry, f"faults[{i}]") for i, entry in enumerate(raw)]


def parse_fault(raw: object, where: str) -> Fault:
    """Parse one fault from a JSON object. Raises FormatError."""
    if not isinstance(raw, Mapping) or raw.get("kind") not in list(FaultKind):
        raise FormatError(f"{where}.kind must be one of {', '.join(FaultKind)}")
    if unknown := set(raw) - _FIELDS:
        raise FormatError(f"{where} has unknown fields: {', '.join(sorted(map(str, unknown)))}")
    contains = raw.get("contains", "")
    if not isinstance(contains, str):
        raise FormatError(f"{where}.contains must be a string")
    return Fault(
        kind=FaultKind(raw["kind"]),
        times=whole_number(raw.get("times", 1), f"{where}.times", lowest=ALWAYS),
        latency_ms=whole_number(raw.get("latency_ms", 0), f"{where}.latency_ms", highest=LATENCY_MAX_MS),
        retry_after_s=whole_number(raw.get("retry_after_s", RETRY_AFTER_DEFAULT_S), f"{where}.retry_after_s"),
        contains=contains,
    )


def whole_number(value: object, where: str, lowest: int = 0, highest: int = 1_000_000) -> int:
    """Return `value` if it is an integer in the range. Raises FormatError."""
    if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
        return value
    raise FormatError(f"{where} must be a whole number from {lowest} to {highest}")


def raise_http_fault(fault: Fault, model: str) -> None:
    """Raise the ApiError of an HTTP fault. Does nothing for other kinds."""
    match fault.kind:
        case FaultKind.HTTP_400:
            raise ApiError(400, "Injected fault: the request is not valid.", code="invalid_value")
        case FaultKind.HTTP_401:
            raise ApiError(401, "Incorrect API key provided: injected fault.", code="invalid_api_key")
        case FaultKind.HTTP_404:
            raise ApiError(
                404, f"The model `{model}` does not exist: injected fault.", code="model_not_found", param="model"
            )
        case FaultKind.HTTP_429:
            raise ApiError(429, "Rate limit reached: injected fault.", code="rate_limit_exceeded", kind="requests")
        case FaultKind.HTTP_500:
            raise ApiError(500, "The server had an error: injected fault.", code="server_error")
        case FaultKind.HTTP_503:
            raise ApiError(503, "The server is overloaded: injected fault.", code="overloaded")


def corrupt_reply(fault: Fault, request: Request, reply: Reply) -> Reply:
    """Return the reply as changed by this fault."""
    match fault.kind:
        case FaultKind.EMPTY:
            return Reply()
        case FaultKind.INVENTED_TOOL:
            return Reply(calls=(NewCall(INVENTED_TOOL, "{}"),))
        case FaultKind.BROKEN_JSON:
            offered = compile_catalogue(request.tools_json).functions
            names = [call.name for call in reply.calls] or [f.name for f in offered[:1]] or [INVENTED_TOOL]
            return Reply(calls=tuple(NewCall(name, BROKEN_ARGUMENTS) for name in names))
    return reply
