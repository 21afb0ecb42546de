"""Names that the gateway makes of clients' own ids: idempotency keys, sessions, contexts, tasks, and addresses to tell.

The whole gateway runs, with every door that takes such an id, and a Restate that writes down what it is asked. So a new
door needs a row in DOORS and nothing else.
"""

import asyncio
import json
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import unquote

import jwt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from switchboard.gateway.__main__ import create_middleware
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import NOT_AUTHENTICATED_ACR, secret_key
from switchboard.gateway.ingress import Ingress
from switchboard.gateway.middleware import App
from switchboard.gateway.probes import Readiness
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.settings import GatewaySettings
from switchboard.gateway.token import mint_staff
from switchboard.ingress import HandlerFailed, RestateIngress
from switchboard.session_ids import made_for, make_session_id
from tests.unit.gateway.asgi import body, exchange

SECRET, SPEAKER = "a secret of the identity provider, 32", "a-key-of-the-mesh-of-32-bytes-and-more"
NOW = datetime(2026, 11, 29, tzinfo=UTC)
FOR_YEARS = timedelta(days=20_000)

MCP = "io.modelcontextprotocol/"
MCP_VERSION = "2026-07-28"


@dataclass(frozen=True)
class Who:
    """A caller. `visit` tells apart the tokens of those who only claim to be the same customer."""

    customer_id: str
    signed_in: bool = True
    visit: int = 0
    staff: bool = False

    @property
    def token(self) -> str:
        if self.staff:
            return mint_staff(SETTINGS, self.customer_id, FOR_YEARS, NOW)
        claims = {"sub": self.customer_id, "exp": NOW + FOR_YEARS, "jti": str(self.visit)}
        if not self.signed_in:
            claims["acr"] = NOT_AUTHENTICATED_ACR
        return jwt.encode(claims, secret_key(SECRET), algorithm="HS256")


@dataclass(frozen=True)
class Named:
    """What Restate was asked under a name: the object's path, and the idempotency key if there was one."""

    path: str
    key: str


@dataclass(frozen=True)
class Door:
    """A request that takes a client's own id. `session` is empty if the request names none."""

    path: str
    body: Any
    headers: Mapping[str, str]


def http(path: str, content: Any = None) -> Callable[[str, str], Door]:
    def request(session: str, own_id: str) -> Door:
        return Door(f"/v1/sessions/{session}/{path}", content, {"idempotency-key": own_id})

    return request


def staff_door(path: str, content: Any) -> Callable[[str, str], Door]:
    return lambda session, own_id: Door(f"/v1/staff/{path}", content, {"idempotency-key": own_id})


def agui(session: str, own_id: str) -> Door:
    messages = [{"id": "1", "role": "user", "content": "hi"}]
    more: dict[str, Any] = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
    return Door("/v1/agui", {"threadId": session, "runId": own_id, "messages": messages, **more}, {})


def a2a(**more: Any) -> Callable[[str, str], Door]:
    def request(session: str, own_id: str) -> Door:
        message = {"messageId": own_id, "role": "ROLE_USER", "parts": [{"text": "hi"}], **more}
        if session:
            message["contextId"] = session
        told = {"taskPushNotificationConfig": {"id": own_id, "url": "https://hooks.example.com/"}}
        params = {"message": message, "configuration": told}
        call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
        return Door("/v1/a2a", call, {"a2a-version": "1.0"})

    return request


def mcp(tool: str, **arguments: Any) -> Callable[[str, str], Door]:
    def request(session: str, own_id: str) -> Door:
        inside = {**arguments, **({"session_id": session} if session else {})}
        meta = {f"{MCP}protocolVersion": MCP_VERSION, f"{MCP}clientCapabilities": {}, f"{MCP}idempotencyKey": own_id}
        params = {"name": tool, "arguments": inside, "_meta": meta}
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": MCP_VERSION}
        headers |= {"mcp-method": "tools/call", "mcp-name": tool, "host": "gateway"}
        return Door("/v1/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers)

    return request


FIRST = {"A2A message": a2a(), "MCP ask": mcp("ask", text="hi")}
"""Doors for a first message, which names no session."""

IN_SESSION = {
    "message": http("messages", {"text": "hi"}),
    "steering message": http("messages", {"text": "hi", "interrupt": True}),
    "confirm": http("confirm", {"held_id": "h"}),
    "decline": http("decline", {"held_id": "h"}),
    "interrupt": http("interrupt"),
    "rating": http("turns/1/rating", {"rating": "up"}),
    "AG-UI run": agui,
    "A2A message in a context": a2a(),
    "MCP ask in a session": mcp("ask", text="hi"),
    "MCP confirm": mcp("confirm", held_id="h"),
    "MCP decline": mcp("decline", held_id="h"),
}
STAFF = {
    "staff note": staff_door("cases/c-1/notes", {"text": "n"}),
    "staff approval": staff_door("approvals/a-1/approve", {"why": "n"}),
    "staff message": staff_door("sessions/s-1/messages", {"text": "hi"}),
    "staff take-over": staff_door("sessions/s-1/take-over", {}),
}

SETTINGS = GatewaySettings.model_validate(
    {
        "GATEWAY_JWT_SECRET": SECRET,
        "SWITCHBOARD_SPEAKER_KEYS": SPEAKER,
        "GATEWAY_MCP_URL": "http://gateway/v1/mcp",
        "GATEWAY_A2A_URL": "http://gateway",
        "SWITCHBOARD_A2A_PUSH_HOSTS": "hooks.example.com",
        "GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE": 1_000_000,
    }
)


class WrittenDown:
    """Stands for Restate: accepts everything, answers no message, and writes down the names that it is asked under."""

    def __init__(self) -> None:
        self.names: list[Named] = []

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        within: timedelta | None = None,
    ) -> bytes:
        if method == "GET":
            raise HandlerFailed(500, "no answer")
        self.names.append(Named(unquote(path), (headers or {}).get("idempotency-key", "")))
        if path.endswith("/claim"):
            return body or b""
        if path.endswith("/events"):
            raise HandlerFailed(404, "a session without messages")
        if path.endswith("/send"):
            return b'{"invocationId": "inv_1", "status": "Accepted"}'
        if path.startswith("/TaskPush/") and path.endswith("/set"):
            return json.dumps(json.loads(body or b"")["config"]).encode()
        raise HandlerFailed(500, "no answer")


class Gateway:
    """The gateway's application, in a loop of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.restate = WrittenDown()
        monkeypatch.setattr(RestateIngress, "request", lambda _, *args, **more: self.restate.request(*args, **more))
        self._runner = asyncio.Runner()
        self._app = self._runner.run(self._create())

    async def _create(self) -> App:
        http: Any = None
        sessions = SessionClient(Ingress("http://restate", http, SETTINGS.speaker()), timedelta(seconds=5))
        hub = Hub(ViewerLimits(10, 10, 10))
        created = create_middleware(SETTINGS, http, sessions, Readiness(sessions.ready), hub, SETTINGS.speaker())
        return cast(App, created)

    def names(self, who: Who, door: Door) -> set[Named]:
        """Send a request, and return the names under which Restate was asked to change something."""
        self.restate.names.clear()
        headers = {"authorization": f"Bearer {who.token}", "content-type": "application/json", **door.headers}
        content = json.dumps(door.body).encode() if door.body is not None else b""
        self._runner.run(exchange(self._app, door.path, headers, [body(content)]))
        return set(self.restate.names)

    def close(self) -> None:
        self._runner.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        opened = Gateway(monkeypatch)
        yield opened
        opened.close()


OWN_IDS = st.text(string.ascii_letters + string.digits + "!/.-_~|:", min_size=1, max_size=60)
CUSTOMERS = st.sampled_from(["alice", "bob", "staff", "alice-signed-in", "a"]) | st.text(
    string.ascii_letters + string.digits + "._@|:+=~-", min_size=1, max_size=20
)
CALLERS = st.builds(Who, CUSTOMERS, st.booleans(), st.integers(0, 3))

FEW = settings(max_examples=3, deadline=None, derandomize=True)


def keyed(names: set[Named]) -> set[Named]:
    return {name for name in names if name.key and not name.path.startswith("/TaskPush/")}


def objects(names: set[Named]) -> set[str]:
    """The objects that were addressed: sessions, and tasks of other agents."""
    return {"/".join(name.path.split("/")[:3]) for name in names if name.path.startswith(("/Session/", "/TaskPush/"))}


@pytest.mark.parametrize("door", FIRST)
@given(one=CALLERS, other=CALLERS, own_id=OWN_IDS)
@example(one=Who("alice"), other=Who("bob"), own_id="guessed")
@example(one=Who("alice"), other=Who("alice", signed_in=False), own_id="guessed")
@example(one=Who("alice", False, 1), other=Who("alice", False, 2), own_id="guessed")
@FEW
def test_first_message_has_names_that_no_other_caller_reaches(
    gateway: Gateway, door: str, one: Who, other: Who, own_id: str
) -> None:
    """Not with the same id, and not by naming what the first caller's id has led to."""
    same = (one.customer_id, one.signed_in) == (other.customer_id, other.signed_in)
    assume(not same or (not one.signed_in and one.visit != other.visit))
    request = FIRST[door]("", own_id)
    names = gateway.names(one, request)
    assert keyed(names), names
    again = gateway.names(one, request)
    assert (keyed(again), objects(again)) == (keyed(names), objects(names))
    others = gateway.names(other, request)
    assert keyed(others)
    assert not objects(names) & objects(others)
    assert not keyed(names) & keyed(others)
    (session,) = {path.split("/")[2] for path in objects(names) if path.startswith("/Session/")}
    if not one.signed_in:
        speaker = SETTINGS.speaker()
        assert speaker is not None
        assert made_for(session, one.customer_id, speaker)  # It is a secret.
        return
    for in_session in IN_SESSION.values():
        assert gateway.names(other, in_session(session, own_id)) == set()
    assert keyed(gateway.names(one, IN_SESSION["message"](session, own_id)))


@pytest.mark.parametrize("door", IN_SESSION)
@given(one=CALLERS, other=CALLERS, own_id=OWN_IDS, others_id=OWN_IDS)
@example(one=Who("alice"), other=Who("bob"), own_id="guessed", others_id="other")
@FEW
def test_keys_in_a_session_are_of_one_caller(
    gateway: Gateway, door: str, one: Who, other: Who, own_id: str, others_id: str
) -> None:
    """A session may be named by anyone, and then refuses. Restate answers a repeated key before the session can."""
    assume((one.customer_id, one.signed_in) != (other.customer_id, other.signed_in))
    session = make_session_id(one.customer_id, SETTINGS.speaker())
    crafted = [own_id, others_id, f"{one.customer_id}/signed-in/{session}/{own_id}"[:128]]
    names = gateway.names(one, IN_SESSION[door](session, own_id))
    assert keyed(names)
    for guessed in crafted:
        others = gateway.names(other, IN_SESSION[door](session, guessed))
        assert not keyed(names) & keyed(others)
        # Only a task that its own caller has started may have an address to be told.
        assert not {path for path in objects(names) if "TaskPush" in path} & objects(others)


@pytest.mark.parametrize("door", STAFF)
@given(one=CUSTOMERS, other=CUSTOMERS, own_id=OWN_IDS)
@example(one="ann", other="ben", own_id="guessed")
@FEW
def test_keys_of_staff_are_of_one_member(gateway: Gateway, door: str, one: str, other: str, own_id: str) -> None:
    assume(one != other)
    names = gateway.names(Who(one, staff=True), STAFF[door]("", own_id))
    assert keyed(names)
    assert not keyed(names) & keyed(gateway.names(Who(other, staff=True), STAFF[door]("", own_id)))
