"""The client of a mesh against a small HTTP server that plays the gateway: keys, retries, streams and errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from hypothesis import given
from hypothesis import strategies as st

from switchboard import transport
from switchboard.client import (
    AsyncClient,
    Client,
    LiveText,
    MeshError,
    MeshUnavailable,
    Refused,
    Replied,
    TurnLost,
)
from switchboard.events import SEQ_MAX, Delta, Numbered, Reset
from switchboard.local.process import free_ports
from switchboard.retry import RetryPolicy
from switchboard.transport import DISCONNECTED

REPLY = {"text": "Hello, Ada.", "agent": "Triage", "turn": 1, "hand_offs": [], "failed": False}
STARTED = ("turn_started", "1.1", {"turn": 1, "seq": 1, "at": "2026-03-01T12:00:00Z"})
AGENT = ("agent", "1.3", {"turn": 1, "seq": 3, "agent": "Triage"})
HELLO = ("delta", "", {"turn": 1, "seq": 4, "attempt": 0, "writer": "w1", "offset": 0, "text": "Hello"})
LAST = ("reply", f"1.{SEQ_MAX}", {"seq": SEQ_MAX, **REPLY})

Sent = tuple[str, str, dict[str, object]]
Answers = Callable[[], web.StreamResponse | None]


def answer(status: int, body: object, **headers: str) -> Answers:
    return lambda: web.json_response(body, status=status, headers=headers)


def problem(status: int, code: str, detail: str = "No.", **headers: str) -> Answers:
    return answer(status, {"status": status, "code": code, "detail": detail, "title": ""}, **headers)


def broken() -> None:
    """Close the connection without an answer."""


def text_of(*events: Sent) -> str:
    return "".join(
        f"event: {kind}\n" + (f"id: {number}\n" if number else "") + f"data: {json.dumps(data)}\n\n"
        for kind, number, data in events
    )


def stream(*events: Sent) -> Answers:
    lines = text_of(*events)
    return lambda: web.Response(text=f": heartbeat\n\n{lines}", content_type="text/event-stream")


class Gateway:
    """Answers each request with the next of these answers, and repeats the last one."""

    def __init__(self, *answers: Answers) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, str, str]] = []
        self.bodies: list[object] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        self.requests.append(
            (request.method, request.raw_path, headers.get("idempotency-key", ""), headers.get("last-event-id", ""))
        )
        body = await request.read()
        self.bodies.append(json.loads(body) if body else None)
        answered = (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()
        if answered is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return answered


@asynccontextmanager
async def gateway(*answers: Answers) -> AsyncIterator[tuple[Gateway, AsyncClient, list[str]]]:
    played, notes = Gateway(*answers), list[str]()
    async with (
        RawTestServer(played.handle) as server,
        AsyncClient(str(server.make_url("")), "token", notes.append) as opened,
    ):
        yield played, opened, notes


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RETRIES", RetryPolicy(pause=timedelta(milliseconds=20), attempts_max=5))


async def test_a_message_is_sent_again_with_its_key_after_failures_that_pass() -> None:
    async with gateway(broken, problem(503, "restate_away"), problem(504, "reply_late"), answer(200, REPLY)) as (
        played,
        mesh,
        notes,
    ):
        assert (await mesh.send("s-1", "hello", key="key-1")).text == "Hello, Ada."
    assert [request[:3] for request in played.requests] == [("POST", "/v1/sessions/s-1/messages", "key-1")] * 4
    assert played.bodies == [{"text": "hello"}] * 4
    assert notes == [DISCONNECTED]


async def test_messages_have_different_keys() -> None:
    async with gateway(answer(200, REPLY)) as (played, mesh, _):
        await mesh.send("s", "hello")
        await mesh.send("s", "hello")
        await mesh.confirm("s", "held-1")
        await mesh.decline("s", "held-1")
    keys = [request[2] for request in played.requests]
    assert all(keys)
    assert len(set(keys)) == len(keys)


async def test_a_stream_yields_events_and_ends_with_the_reply() -> None:
    unknown: Sent = ("seat_map", "1.2", {"turn": 1, "seq": 2, "rows": 30})
    malformed: Sent = ("delta", "", {"turn": "x"})
    async with gateway(stream(STARTED, unknown, AGENT, malformed, HELLO, LAST)) as (_, mesh, _):
        shown = [event async for event in mesh.stream("s", "hello")]
    assert [event.id for event in shown if isinstance(event, Numbered)] == ["1.1", "1.3", f"1.{SEQ_MAX}"]
    assert [event.text for event in shown if isinstance(event, Delta)] == ["Hello"]
    assert isinstance(shown[-1], Replied)
    assert shown[-1].reply.text == "Hello, Ada."


async def test_a_stream_that_breaks_goes_on_without_repeating_events() -> None:
    async with gateway(stream(STARTED, AGENT, HELLO), broken, stream(STARTED, AGENT, HELLO, LAST)) as (
        played,
        mesh,
        notes,
    ):
        shown = [event async for event in mesh.stream("s", "hello")]
    numbers = [event.id for event in shown if isinstance(event, Numbered)]
    assert numbers == ["1.1", "1.3", f"1.{SEQ_MAX}"]
    assert len({request[2] for request in played.requests}) == 1
    assert notes == [DISCONNECTED]


async def test_a_problem_within_a_stream_is_raised_or_retried() -> None:
    passing: Sent = ("problem", "", {"status": 503, "code": "stopping", "detail": "Retry."})
    final: Sent = ("problem", "", {"status": 409, "code": "stopped", "detail": "An operator stopped this request."})
    async with gateway(stream(STARTED, passing), stream(STARTED, final)) as (played, mesh, _):
        with pytest.raises(Refused, match="An operator stopped") as raised:
            _ = [event async for event in mesh.stream("s", "hello")]
    assert (raised.value.status, raised.value.code, len(played.requests)) == (409, "stopped", 2)


async def test_events_go_on_behind_the_last_one_after_a_broken_connection() -> None:
    async with gateway(stream(STARTED, AGENT), broken, stream(LAST)) as (played, mesh, _):
        events = mesh.events("s", after="0.9999")
        seen = [await anext(events) for _ in range(3)]
    assert [event.id for event in seen if isinstance(event, Numbered)] == ["1.1", "1.3", f"1.{SEQ_MAX}"]
    assert [request[3] for request in played.requests] == ["0.9999", "1.3", "1.3"]


@pytest.mark.parametrize(
    ("answered", "raised", "words"),
    [
        (problem(403, "session_forbidden", "Another customer's."), Refused, "Another customer's"),
        (problem(500, "turn_lost", "Check the transcript."), TurnLost, "Check the transcript"),
        (problem(503, "no_agents", "In a minute.", **{"retry-after": "60"}), MeshUnavailable, "In a minute"),
        (answer(200, {"unexpected": 1}), MeshUnavailable, "not a gateway of this version"),
    ],
    ids=["refused", "lost", "later", "another version"],
)
async def test_an_error_is_raised_as_its_sentence_without_another_attempt(
    answered: Answers, raised: type[MeshError], words: str
) -> None:
    async with gateway(answered) as (played, mesh, _):
        with pytest.raises(raised, match=words):
            await mesh.send("s", "hello")
    assert len(played.requests) == 1


async def test_a_limit_says_when_to_try_again() -> None:
    async with gateway(problem(429, "customer_limit", **{"retry-after": "7"})) as (_, mesh, _):
        with pytest.raises(Refused) as raised:
            await mesh.send("s", "hello")
    assert (raised.value.code, raised.value.retry_after_s) == ("customer_limit", 7)


async def test_a_gateway_that_never_answered_is_not_tried_again() -> None:
    async with AsyncClient("http://127.0.0.1:9", "token", wait_for_mesh=False) as mesh:
        with pytest.raises(MeshUnavailable, match=r"No gateway answers at .*switchboard up"):
            await mesh.status("s")


async def test_a_gateway_that_starts_late_is_waited_for() -> None:
    (port,) = free_ports(1)
    played = Gateway(answer(200, REPLY))
    async with AsyncClient(f"http://127.0.0.1:{port}", "token") as mesh:
        sending = asyncio.create_task(mesh.send("s", "hello"))
        await asyncio.sleep(0)
        async with RawTestServer(played.handle, port=port):
            assert (await sending).text == "Hello, Ada."


async def test_a_gateway_that_stays_away_is_given_up() -> None:
    async with gateway(broken) as (played, mesh, _):
        with pytest.raises(MeshUnavailable, match="is not lost"):
            await mesh.send("s", "hello")
    assert len(played.requests) == 5


@pytest.mark.parametrize("url", ["nonsense", "http://x:y", "localhost:8080", "ftp://x"])
async def test_an_invalid_address_is_refused(url: str) -> None:
    async with AsyncClient(url, "token") as mesh:
        with pytest.raises(Refused, match="not an address"):
            await mesh.new_session()


async def test_a_program_without_asyncio_sends_and_streams() -> None:
    played = Gateway(stream(STARTED, HELLO, LAST), answer(200, REPLY))

    def program(url: str) -> tuple[list[str], str]:
        with Client(url, lambda: "token") as mesh:
            shown = [type(event).__name__ for event in mesh.stream("s", "hello")]
            return shown, mesh.send("s", "thank you").text

    async with RawTestServer(played.handle) as server:
        shown, text = await asyncio.to_thread(program, str(server.make_url("")))
    assert shown == ["Numbered", "Delta", "Numbered", "Replied"]
    assert text == "Hello, Ada."


def delta(text: str, offset: int = 0, writer: str = "w1") -> Delta:
    return Delta(turn=1, seq=4, attempt=0, writer=writer, offset=offset, text=text)


def pieces(text: str, cuts: list[int]) -> Iterator[tuple[int, str]]:
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    for begin, end in zip([0, *ends], ends, strict=False):
        yield begin, text[begin:end]


@given(st.text(min_size=1, max_size=30), st.lists(st.integers(1, 30)), st.sets(st.integers(0, 10)))
def test_text_while_it_is_written_is_a_beginning_of_what_was_written(
    text: str, cuts: list[int], lost: set[int]
) -> None:
    live = LiveText()
    sent = list(pieces(text, cuts))

    for index, (offset, part) in enumerate(sent):
        if index not in lost:
            live.take(delta(part, offset))

    assert text.startswith(live.text)
    if not lost & set(range(len(sent))):
        assert live.text == text


def test_text_of_a_failed_attempt_is_not_mixed_with_the_next_one() -> None:
    live = LiveText()
    live.take(delta("My balance"))
    live.take(Reset(turn=1, seq=4, attempt=0, writer="w0"))
    assert live.text == "My balance"
    live.take(Reset(turn=1, seq=4, attempt=0, writer="w1"))
    assert live.text == ""
    live.take(delta("lost beginning", 6, "w2"))
    assert live.text == ""
    live.take(delta("Your", 0, "w2"))
    live.take(delta(" salary", 4, "w1"))
    live.take(delta(" balance", 4, "w2"))
    assert live.text == "Your balance"
    # After a crash, another process makes the attempt again.
    live.take(delta("The balance", 0, "w3"))
    assert live.text == "The balance"


def opening(place: str, *events: Sent) -> Answers:
    """A stream that begins as the gateway's streams do, with its place."""
    body = f"id: {place}\n: events follow\nretry: 1000\n\n{text_of(*events)}"
    return lambda: web.Response(text=body, content_type="text/event-stream")


async def test_a_viewer_that_has_seen_nothing_goes_on_from_its_first_place() -> None:
    async with gateway(opening("3.9999"), stream(STARTED)) as (played, mesh, _):
        await anext(mesh.events("s"))
    assert [request[3] for request in played.requests] == ["", "3.9999"]


def of_run(sent: Sent, run: str) -> Sent:
    return (*sent[:2], {**sent[2], "run": run})


async def test_a_viewer_says_of_which_run_its_last_event_was_however_often_the_connection_breaks() -> None:
    """The gateway then knows that the turn was cancelled and has begun again."""
    first, second = (of_run(STARTED, run) for run in ("run-1", "run-2"))
    streams = (
        opening("0.9999", first, of_run(AGENT, "run-1"), HELLO),
        opening("1.3"),
        opening("1.3"),
        opening("1.3", second),
        opening("1.1", second, of_run(LAST, "run-2")),
        opening("1.9999"),
    )
    async with gateway(*streams, stream(STARTED)) as (played, mesh, _):
        events = mesh.events("s", after="0.9999")
        _ = [await anext(events) for _ in range(7)]
    places = [(path.partition("?run=")[2], last) for _, path, _, last in played.requests]
    assert places == [
        ("", "0.9999"),
        *[("run-1", "1.3")] * 3,
        ("run-2", "1.1"),
        *[("run-2", "1.9999")] * 2,
    ]


RECORD = {"turn": 1, "at": "2026-03-01T12:00:00Z", "agents": [], "messages": [], "reply": "Hello."}


async def test_a_page_without_turns_does_not_end_the_transcript() -> None:
    """Customers do not see notes of staff. There were 120 of them in a row."""
    pages = [
        {"turns": [RECORD], "turns_total": 122, "last": 50},
        {"turns": [], "turns_total": 122, "last": 100},
        {"turns": [{**RECORD, "turn": 122}], "turns_total": 122, "last": 122},
    ]
    async with gateway(*(answer(200, page) for page in pages)) as (played, mesh, _):
        assert [turn.turn for turn in await mesh.turns("s-1")] == [1, 122]
    afters = [path.partition("after=")[2].partition("&")[0] for _, path, *_ in played.requests]
    assert afters == ["0", "50", "100"]


async def test_pages_of_an_older_gateway_end_with_their_last_turn() -> None:
    pages = [{"turns": [RECORD], "turns_total": 3}, {"turns": [{**RECORD, "turn": 2}], "turns_total": 3}]
    async with gateway(*(answer(200, page) for page in pages), answer(200, {"turns": [], "turns_total": 3})) as (
        played,
        mesh,
        _,
    ):
        assert [turn.turn for turn in await mesh.turns("s-1")] == [1, 2]
    assert len(played.requests) == 3
