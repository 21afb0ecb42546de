"""The client of a mesh against a small HTTP server that plays Restate: retries, keys and errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from switchboard import ingress_client
from switchboard.ingress import HandlerFailed, IngressError, IngressUnavailable, NotAMesh, Response, raise_for_error
from switchboard.ingress_client import MeshClient
from switchboard.retry import RetryPolicy
from switchboard.transport import DISCONNECTED, MeshUnavailable, Refused, TurnLost

ACCEPTED = {"invocationId": "inv_1", "status": "Accepted"}
REPLY = {"text": "hello", "agent": "Triage", "turn": 1, "hand_offs": [], "failed": False}

Answers = Callable[[], web.Response | None]


def answer(status: int, body: object) -> Answers:
    return lambda: web.json_response(body, status=status)


def refusal(status: int, message: str, source: str = "invocation") -> Answers:
    return answer(status, {"message": message, "source": source})


def page(status: int) -> Answers:
    return lambda: web.Response(text="<html>", status=status)


def broken() -> None:
    """Close the connection without an answer."""


class Restate:
    """Answers each request with the next of these answers, and repeats the last one."""

    def __init__(self, *answers: Answers) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, str, bytes]] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        key = request.headers.get("idempotency-key", "")
        self.requests.append((request.method, request.raw_path, key, await request.read()))
        answer = (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()
        if answer is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return answer


@asynccontextmanager
async def mesh(*answers: Answers) -> AsyncIterator[tuple[Restate, MeshClient, list[str]]]:
    restate, notes = Restate(*answers), list[str]()
    async with RawTestServer(restate.handle) as server, MeshClient(str(server.make_url("")), notes.append) as opened:
        yield restate, opened, notes


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress_client, "RETRIES", RetryPolicy(pause=timedelta(milliseconds=1), attempts_max=5))


async def test_submit_sends_the_same_key_again_after_a_broken_connection() -> None:
    async with mesh(broken, refusal(503, "starting", source="ingress"), answer(202, ACCEPTED)) as (
        restate,
        opened,
        notes,
    ):
        assert await opened.submit("s/1", "alice", "hi", "key-1") == "inv_1"
    assert [request[:3] for request in restate.requests] == [("POST", "/Session/s%2F1/send/send", "key-1")] * 3
    assert json.loads(restate.requests[0][3]) == {"customer_id": "alice", "text": "hi", "signed_in": True}
    assert notes == [DISCONNECTED]


async def test_reply_attaches_again_after_a_broken_connection() -> None:
    async with mesh(broken, answer(200, REPLY)) as (restate, opened, _):
        assert (await opened.reply("inv_1")).text == "hello"
    assert [request[1] for request in restate.requests] == ["/restate/invocation/inv_1/attach"] * 2


async def test_submit_is_retried_when_restate_is_overloaded() -> None:
    async with mesh(refusal(429, "busy", source="ingress"), answer(202, ACCEPTED)) as (restate, opened, _):
        assert await opened.submit("s", "alice", "hi", "key-1") == "inv_1"
    assert len(restate.requests) == 2


async def test_client_raises_a_handler_refusal_without_retrying() -> None:
    async with mesh(refusal(403, "This is another customer's session.")) as (restate, opened, _):
        with pytest.raises(Refused, match="another customer's") as raised:
            await opened.submit("s", "alice", "hi", "key-1")
    assert (raised.value.status, len(restate.requests)) == (403, 1)


async def test_client_raises_turn_lost_when_a_handler_fails() -> None:
    async with mesh(refusal(500, "killed")) as (_, opened, _):
        with pytest.raises(TurnLost, match="killed"):
            await opened.reply("inv_1")


@pytest.mark.parametrize(
    ("answered", "reason"),
    [
        (refusal(404, "service 'Session' not found", source="ingress"), "service 'Session' not found"),
        (page(404), "HTTP 404"),
    ],
    ids=["restate without services", "another server"],
)
async def test_client_does_not_retry_an_address_without_a_mesh(answered: Answers, reason: str) -> None:
    async with mesh(answered) as (restate, opened, _):
        with pytest.raises(MeshUnavailable, match=f"is not a mesh .{reason}."):
            await opened.submit("s", "alice", "hi", "key-1")
    assert len(restate.requests) == 1


async def test_client_does_not_wait_for_a_server_that_is_not_restate() -> None:
    async with mesh(page(502)) as (restate, opened, _):
        with pytest.raises(MeshUnavailable):
            await opened.healthy()
    assert len(restate.requests) == 1


async def test_client_retries_a_proxy_error_after_restate_has_answered() -> None:
    async with mesh(answer(200, {}), page(502), answer(202, ACCEPTED)) as (restate, opened, _):
        await opened.healthy()
        assert await opened.submit("s", "alice", "hi", "key-1") == "inv_1"
    assert len(restate.requests) == 3


async def test_client_raises_mesh_unavailable_after_the_last_retry() -> None:
    async with mesh(broken) as (restate, opened, _):
        with pytest.raises(MeshUnavailable, match=r"is unavailable \(Server disconnected\)\. Nothing that it accepted"):
            await opened.submit("s", "alice", "hi", "key-1")
    assert len(restate.requests) == 5


async def test_client_says_to_start_a_mesh_that_it_never_reached() -> None:
    async with MeshClient("http://127.0.0.1:9") as opened:
        with pytest.raises(MeshUnavailable, match=r"No mesh answers at .*; start one with"):
            await opened.submit("s", "alice", "hi", "key-1")


async def test_client_says_that_a_late_request_may_still_be_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress_client, "ANSWER_TIMEOUT", timedelta(0))
    async with mesh(answer(202, ACCEPTED)) as (_, opened, _):
        with pytest.raises(MeshUnavailable, match=r"did not answer in time\. It may still carry out"):
            await opened.submit("s", "alice", "hi", "key-1")


async def test_client_says_that_a_message_with_a_late_reply_was_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress_client, "REPLY_TIMEOUT", timedelta(0))
    async with mesh(answer(200, REPLY)) as (_, opened, _):
        with pytest.raises(TurnLost, match="The message was accepted and may still be running"):
            await opened.reply("inv_1")


async def test_client_rejects_an_answer_of_another_version() -> None:
    async with mesh(answer(200, {"unexpected": 1})) as (_, opened, _):
        with pytest.raises(MeshUnavailable, match="not a mesh of this version"):
            await opened.reply("inv_1")


async def test_client_rejects_a_server_of_another_protocol() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with MeshClient(f"http://{host}:{port}") as opened:
            with pytest.raises(MeshUnavailable, match=r"is not a mesh.*Is the address right"):
                await opened.submit("s", "alice", "hi", "key-1")


@pytest.mark.parametrize("url", ["nonsense", "http://x:y", "localhost:8080", "ftp://x"])
async def test_client_refuses_an_invalid_address(url: str) -> None:
    async with MeshClient(url) as opened:
        with pytest.raises(Refused, match="is not an address"):
            await opened.healthy()


CLASSES: list[tuple[int, dict[str, str] | None, type[IngressError]]] = [
    (403, {"message": "no", "source": "invocation"}, HandlerFailed),
    (503, {"message": "no agents", "source": "invocation"}, HandlerFailed),
    (429, {"message": "full", "source": "invocation"}, HandlerFailed),
    (429, {"message": "busy"}, IngressUnavailable),
    (503, {"message": "starting"}, IngressUnavailable),
    (404, {"message": "service not found"}, NotAMesh),
    (502, None, IngressUnavailable),
    (404, None, NotAMesh),
]


@pytest.mark.parametrize(("status", "body", "expected"), CLASSES)
def test_error_is_classified_by_status_and_source(
    status: int, body: dict[str, str] | None, expected: type[IngressError]
) -> None:
    with pytest.raises(expected):
        raise_for_error(Response(status, json.dumps(body).encode() if body else b"<html>"))
