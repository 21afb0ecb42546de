"""Event streams on a real mesh: what viewers see while a turn runs, how they continue, and who sees nothing."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from yarl import URL

from switchboard.events import SEQ_MAX
from switchboard.gateway.event_streams import HEADERS
from switchboard.local.process import free_ports
from switchboard.session.contract import SendReply
from switchboard.session_ids import public_part
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.desk import staff_token
from tests.gateway.front import Gateway, Visitor, open_gateway
from tests.gateway.test_failures import TO_PROBE, plays_a_meeting, tool_running
from tests.gateway.test_sessions_api import unique
from tests.gateway.viewers import Shown, Watcher, asks, opened, read_events, watching
from tests.laboratory import LONG_MS, Laboratory

TELLING = 4
"""Processes of the mesh with agents or sessions: triage, bank, airline and the probe agent."""

SESSION_VIEWERS_MAX = 20
REPLAY_TURNS_MAX = 3

THREE = calls(*(("wait", {"name": "any", "milliseconds": 100}) for _ in range(3)))
ONE_BY_ONE = "The first one is done, then the second one, and at last the third one."


@pytest.fixture(scope="module")
async def second(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """Another gateway of the same mesh, with small limits."""
    limits = {
        "GATEWAY_SESSION_VIEWERS_MAX": str(SESSION_VIEWERS_MAX),
        "GATEWAY_CUSTOMER_VIEWERS_MAX": str(2 * SESSION_VIEWERS_MAX),
        "GATEWAY_EVENTS_REPLAY_TURNS_MAX": str(REPLAY_TURNS_MAX),
    }
    async with open_gateway(laboratory, tmp_path_factory.mktemp("second"), limits) as other:
        yield other


def at(gateway: Gateway, visitor: Visitor, **more: Any) -> Visitor:
    """The same session at another gateway, of the same customer unless another one is given."""
    given = {"customer_id": visitor.customer_id, "signed_in": visitor.signed_in, **more}
    return Visitor(gateway.ports.url, visitor.http, session=visitor.session, **given)


async def connected(gateway: Gateway) -> None:
    """Wait until the agents and the session tell this gateway live events."""

    async def told() -> bool:
        lines = (await gateway.metrics()).splitlines()
        found = [line.split()[1] for line in lines if line.startswith("switchboard_gateway_live_connections ")]
        return float(found[0]) >= TELLING

    await gateway.laboratory.until(told)


def kinds(events: list[Shown]) -> list[str]:
    return [event.kind for event in events if event.id]


async def recorded(visitor: Visitor, turns: int) -> list[Shown]:
    """All numbered events of a session, as another viewer gets them from the records."""
    async with watching(visitor, after="0.0") as viewer:
        await viewer.until(lambda each: len(each.replies()) == turns)
    return viewer.seen


async def test_message_streams_its_events_and_its_reply(gateway: Gateway, second: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("go", TO_PROBE, THREE, says(ONE_BY_ONE)))
    await connected(gateway)
    visitor = gateway.visitor()
    async with watching(at(second, visitor)) as viewer:
        events = await asks(visitor, "go", key := unique())
        await viewer.until(lambda each: 1 in each.replies())
    assert kinds(events) == [
        *("turn_started", "message", "agent", "step", "hand_off", "agent"),
        *("step", "tool_started", "tool_started", "tool_started", "tool_finished", "tool_finished", "tool_finished"),
        *("step", "reply"),
    ]
    numbered = [event for event in events if event.id]
    assert [event.id for event in numbered] == [f"1.{seq}" for seq in range(1, len(numbered))] + [f"1.{SEQ_MAX}"]
    started = [event.data["label"] for event in events if event.kind == "tool_started"]
    assert len(started) == 3
    assert all(started)
    words = "".join(event.data["text"] for event in events if event.kind == "delta" and event.seq == len(numbered) - 1)
    # The event of the step can come before the last words.
    assert words
    assert ONE_BY_ONE.startswith(words)
    reply = SendReply.model_validate(events[-1].data)
    assert (reply.text, reply.agent, reply.hand_offs, reply.turn) == (ONE_BY_ONE, "Probe", ("Probe",), 1)
    # The other viewer, the record, and the same message with the same key show the same.
    again = await visitor.says("go", key)
    assert SendReply.model_validate(again.body) == reply
    repeated = [event for event in await asks(visitor, "go", key) if event.id]
    from_record = await recorded(at(second, visitor), 1)
    for other in (viewer.seen, repeated, from_record):
        assert [(each.id, each.kind) for each in other] == [(each.id, each.kind) for each in numbered]
        assert [shown(each) for each in other] == [shown(each) for each in numbered]


def shown(event: Shown) -> JSON:
    """What an event says. The reply to one's own message says more than the event of a reply."""
    left_out = {"hand_offs", "trace_id"}
    return {name: value for name, value in event.data.items() if name not in left_out}


async def test_stream_passes_proxies_at_once(gateway: Gateway) -> None:
    async with opened(gateway.visitor()) as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert response.headers.getall("cache-control") == [HEADERS["cache-control"]]
        assert await response.content.readuntil(b"\n\n") == b": events follow\nid: 0.9999\nretry: 1000\n\n"


@pytest.mark.parametrize("cut_after", ["turn_started", "tool_started", "tool_finished", "delta", "reply"])
async def test_viewer_continues_at_another_gateway(gateway: Gateway, second: Gateway, cut_after: str) -> None:
    await gateway.laboratory.model.plays(scene("go", TO_PROBE, THREE, says(ONE_BY_ONE)), scene("next", says("here")))
    await connected(gateway)
    await connected(second)
    visitor = gateway.visitor()
    async with watching(visitor) as first:
        message = asyncio.create_task(visitor.says("go"))
        await first.until(lambda each: cut_after in {event.kind for event in each.all})
    last = first.seen[-1]
    async with watching(at(second, visitor), after=last.id) as rest:
        await rest.until(lambda each: 1 in each.replies() or cut_after == "reply")
        assert (await message).status == 200
        assert (await visitor.says("next")).status == 200
        await rest.until(lambda each: 2 in each.replies())
    both = [*first.seen, *rest.seen]
    assert [event.id for event in both] == [event.id for event in await recorded(visitor, 2)]


async def test_message_goes_on_without_its_client(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    await plays_a_meeting(laboratory, name)
    visitor = gateway.visitor()
    async with opened(visitor, "messages", "POST", json={"text": "go"}) as response:
        async for event in read_events(response):
            assert event.kind == "turn_started"
            break
    await tool_running(laboratory, visitor)
    await gateway.visitor("bob").says("come")
    assert [event.data["text"] for event in await recorded(visitor, 1) if event.kind == "reply"] == ["we met"]


async def test_question_is_shown_while_it_is_open_and_decided_with_a_stream(gateway: Gateway) -> None:
    pays = calls(("pay", {"to": unique(), "amount": "12.50"}))
    # The confirmed call is the first step, and the model answers to its result.
    after_yes = scene("Yes.", says("never said"), says("it is done"))
    await gateway.laboratory.model.plays(scene("go", TO_PROBE, pays), after_yes)
    visitor = gateway.visitor()
    question = (await asks(visitor, "go"))[-1].data["confirmation"]
    assert (await recorded(visitor, 1))[-1].data["confirmation"] == question
    async with opened(visitor, "confirm", "POST", json={"held_id": question["held_id"]}) as response:
        events = [event async for event in read_events(response)]
    assert (events[-1].kind, events[-1].turn, events[-1].data["text"]) == ("reply", 2, "it is done")
    replies = [event.data["confirmation"] for event in await recorded(visitor, 2) if event.kind == "reply"]
    assert replies == [None, None], "the question is closed"
    async with opened(visitor, "confirm", "POST", json={"held_id": question["held_id"]}) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (409, "nothing_to_decide")


async def test_interrupting_message_streams_its_own_turn(gateway: Gateway) -> None:
    slow = calls(("wait", {"name": "any", "milliseconds": LONG_MS}))
    await gateway.laboratory.model.plays(scene("go", TO_PROBE, slow, says("never")), scene("stop", says("stopped")))
    visitor = gateway.visitor()
    async with watching(visitor) as viewer:
        message = asyncio.create_task(asks(visitor, "go"))
        await viewer.until(lambda each: "tool_started" in kinds(each.seen))
        instead = await asks(visitor, "stop", interrupt=True)
        assert (await message)[-1].data["interrupted"]
        await viewer.until(lambda each: len(each.replies()) == 2)
    assert {event.turn for event in instead} == {2}
    assert (kinds(instead)[0], instead[-1].data["text"]) == ("turn_started", "stopped")


@pytest.mark.parametrize(
    ("event_id", "status", "code"),
    [
        ("x", 400, "event_id_invalid"),
        ("1", 400, "event_id_invalid"),
        ("-1.1", 400, "event_id_invalid"),
        ("1.99999", 400, "event_id_invalid"),
        ("٣.١", 400, "event_id_invalid"),
        ("7.1", 400, "event_id_ahead"),
        (f"6.{SEQ_MAX}", 400, "event_id_ahead"),
        ("999999999.1", 400, "event_id_ahead"),
        ("1.3", 410, "event_too_old"),
        (f"1.{SEQ_MAX}", 410, "event_too_old"),
        ("0.0", 410, "event_too_old"),
        (f"2.{SEQ_MAX}", 200, ""),
        ("3.1", 200, ""),
        ("5.500", 200, ""),
        (f"5.{SEQ_MAX}", 200, ""),
        ("6.1", 200, ""),
    ],
)
async def test_event_ids_that_a_session_does_not_have_are_refused(
    second: Gateway, five_turns: Visitor, event_id: str, status: int, code: str
) -> None:
    for given in ({"params": {"after": event_id}}, {"headers": {"last-event-id": event_id}}):
        if not event_id.isascii() and "headers" in given:
            continue
        async with opened(at(second, five_turns), **given) as response:  # type: ignore[arg-type]
            assert response.status == status
            if status != 200:
                body = await response.json(content_type=None)
                assert body["code"] == code
                assert status != 410 or f"Last-Event-ID: 5.{SEQ_MAX}" in body["detail"]


@pytest.fixture(scope="module")
async def five_turns(second: Gateway) -> Visitor:
    await second.laboratory.model.plays(scene("hello", says("hi")))
    visitor = second.visitor()
    for _ in range(5):
        assert (await visitor.says("hello")).status == 200
    return visitor


@pytest.mark.parametrize(
    "other", [{"customer_id": "mallory"}, {"signed_in": False}, {"customer_id": "mallory", "signed_in": False}]
)
async def test_who_is_not_the_customer_sees_nothing(gateway: Gateway, other: dict[str, Any]) -> None:
    laboratory, name = gateway.laboratory, unique()
    await plays_a_meeting(laboratory, name)
    await connected(gateway)
    alice = gateway.visitor()
    attacker = at(gateway, alice, **other)
    refused = "session_not_issued" if not attacker.signed_in else "session_forbidden"
    async with AsyncExitStack() as stack:
        early = None
        if attacker.signed_in:  # Before sign-in, the gateway accepts only ids that it has made.
            early = await stack.enter_async_context(watching(attacker))
        own = await stack.enter_async_context(watching(alice))
        message = asyncio.create_task(asks(alice, "go"))
        await tool_running(laboratory, alice)
        await own.until(lambda each: "tool_started" in kinds(each.seen))
        assert early is None or early.all == [], "not even that a turn runs"
        for path, method in (("events", "GET"), ("events?after=0.0", "GET"), ("messages", "POST")):
            more: dict[str, Any] = {"json": {"text": "hello"}} if method == "POST" else {}
            async with opened(attacker, path, method, **more) as response:
                assert (response.status, (await response.json(content_type=None))["code"]) == (403, refused)
        await gateway.visitor("bob").says("come")
        assert (await message)[-1].data["text"] == "we met"
        await own.until(lambda each: 1 in each.replies())
        if early is not None:
            await early.until(lambda each: bool(each.problems))
            assert {problem["code"] for problem in early.problems} == {"session_forbidden"}
            assert [event.kind for event in early.all if event.kind != "problem"] == []
    async with opened(attacker) as response:
        assert response.status == 403


async def test_session_that_is_signed_in_shows_nothing_to_a_viewer_who_is_not(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("my secret", says("is safe")))
    before = gateway.visitor(signed_in=False)
    async with watching(before) as viewer:
        assert (await before.says("hello")).status == 200
        await viewer.until(lambda each: 1 in each.replies())
        assert (await asks(at(gateway, before, signed_in=True), "my secret"))[-1].data["text"] == "is safe"
        await viewer.until(lambda each: bool(each.problems))
    assert {event.turn for event in viewer.seen} == {1}
    assert {problem["code"] for problem in viewer.problems} == {"session_forbidden"}
    assert "secret" not in str(viewer.all)


async def test_staff_see_any_session_and_customers_have_no_path_to_that(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hi")))
    visitor = gateway.visitor()
    url = f"{visitor.url}/v1/staff/sessions/{visitor.session}/events"
    for token, status in ((visitor.token, 403), ("", 401)):
        async with visitor.http.get(url, headers={"authorization": f"Bearer {token}"}) as response:
            assert response.status == status
    async with visitor.http.get(url, headers={"authorization": f"Bearer {staff_token()}"}) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (404, "record_unknown")
    assert (await visitor.says("hello")).status == 200
    sent = {"authorization": f"Bearer {staff_token()}"}
    async with visitor.http.get(url, params={"after": "0.0"}, headers=sent) as response:
        events = []
        async for event in read_events(response):
            events.append(event)
            if event.kind == "reply":
                break
    assert [event.id for event in events] == [event.id for event in await recorded(visitor, 1)]


async def test_staff_follow_a_running_turn_by_the_part_of_an_id_that_they_see(gateway: Gateway) -> None:
    slow = calls(("wait", {"name": "any", "milliseconds": LONG_MS}))
    await gateway.laboratory.model.plays(scene("hello", says("hi")), scene("go", TO_PROBE, slow))
    guest = gateway.visitor("carol", signed_in=False)
    assert (await guest.says("hello")).status == 200
    url = f"{guest.url}/v1/staff/sessions/{public_part(guest.session)}/events"
    async with guest.http.get(url, headers={"authorization": f"Bearer {staff_token()}"}) as response:
        running = asyncio.create_task(guest.says("go"))
        seen: list[Shown] = []
        async for event in read_events(response):
            seen.append(event)
            if event.kind == "tool_started":
                break
        assert not running.done()
        await guest.posts("interrupt")
        assert (await running).body["interrupted"]
    assert guest.session not in str(seen)


async def test_thousand_viewers_of_one_session_are_bounded_and_lock_no_one_out(second: Gateway) -> None:
    await second.laboratory.model.plays(scene("hello", says("hi")))
    crowd, other, own = second.visitor(), second.visitor("bob"), second.visitor()
    assert (await crowd.says("hello")).status == 200
    statuses: list[int] = []
    enough = asyncio.Event()

    async def view() -> None:
        async with opened(crowd) as response:
            statuses.append(response.status)
            if response.status == 200:
                await enough.wait()
            else:
                assert (await response.json(content_type=None))["code"] == "too_many_viewers"
                assert int(response.headers["retry-after"]) > 0

    viewers = [asyncio.create_task(view()) for _ in range(1_000)]
    await second.laboratory.until(lambda: len(statuses) == len(viewers))
    assert (statuses.count(200), statuses.count(429)) == (SESSION_VIEWERS_MAX, 1_000 - SESSION_VIEWERS_MAX)
    # Others, and this customer elsewhere, still get through.
    for visitor in (other, own):
        async with watching(visitor) as viewer:
            assert (await visitor.says("hello")).text == "hi"
            await viewer.until(lambda each: 1 in each.replies())
    assert (await crowd.says("hello")).status == 200
    enough.set()
    await asyncio.gather(*viewers)
    async with watching(crowd):
        pass  # The places are free again.


async def test_customer_and_gateway_have_limits_of_viewers(laboratory: Laboratory, tmp_path: Path) -> None:
    limits = {"GATEWAY_CUSTOMER_VIEWERS_MAX": "2", "GATEWAY_VIEWERS_MAX": "3", "GATEWAY_REQUESTS_MAX": "1"}
    await laboratory.model.plays(scene("hello", says("hi")))
    async with open_gateway(laboratory, tmp_path, limits) as small, AsyncExitStack() as stack:
        found = []
        for customer in ("alice", "alice", "alice", "bob", "bob"):
            response = await stack.enter_async_context(opened(small.visitor(customer)))
            body = {} if response.status == 200 else await response.json(content_type=None)
            found.append((response.status, body.get("code", "")))
        assert found == [(200, ""), (200, ""), (429, "too_many_viewers"), (200, ""), (503, "busy")]
        assert (await small.visitor().says("hello")).status == 200, "viewers take no places of requests"


LONG_REPLY = "x" * 200_000


async def test_viewer_that_never_reads_costs_bounded_memory_and_no_one_else_anything(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    await laboratory.model.plays(scene("hello", says(LONG_REPLY)))
    turns, stuck = 12, 18
    async with open_gateway(laboratory, tmp_path) as own:
        visitor = own.visitor()
        sockets = [await never_reads(visitor) for _ in range(stuck)]
        memory = psutil.Process(own.process.pid).memory_info
        async with watching(visitor) as viewer:
            assert (await visitor.says("hello")).status == 200
            before = memory().rss
            for number in range(2, turns + 1):
                assert (await visitor.says("hello")).status == 200
                await viewer.until(lambda each, number=number: number in each.replies())  # type: ignore[misc]
        grown = memory().rss - before
        sent = 2 * stuck * turns * len(LONG_REPLY)
        assert grown < sent / 2, f"{grown} of {sent} bytes wait in the gateway"
        for each in sockets:
            each.close()


async def never_reads(visitor: Visitor) -> socket.socket:
    """Open a stream, and read nothing of it."""
    url = URL(visitor.url)
    opened_socket = socket.socket()
    opened_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened_socket.connect((url.host, url.port))
    request = (
        f"GET /v1/sessions/{visitor.session}/events HTTP/1.1\r\nhost: {url.authority}\r\n"
        f"authorization: Bearer {visitor.token}\r\n\r\n"
    )
    opened_socket.sendall(request.encode())
    await asyncio.sleep(0)
    return opened_socket


async def killed_agent(gateway: Gateway) -> None:
    await gateway.laboratory.probe_agent.kill()
    await gateway.laboratory.probe_agent.start()


async def killed_session(gateway: Gateway) -> None:
    await gateway.laboratory.mesh.services["triage"].kill()
    await gateway.laboratory.mesh.services["triage"].start()


async def killed_gateway(gateway: Gateway) -> None:
    await gateway.process.kill()


async def stopped_gateway(gateway: Gateway) -> None:
    os.kill(gateway.process.pid, signal.SIGTERM)
    await gateway.process.wait()


@pytest.mark.at_night(chooses=lambda fault, when, **_: (when == "delta") != (fault in (killed_agent, killed_gateway)))
@pytest.mark.parametrize("fault", [killed_agent, killed_session, killed_gateway, stopped_gateway])
@pytest.mark.parametrize("when", ["tool_started", "delta"])
async def test_viewers_see_every_event_once_whatever_is_killed(
    laboratory: Laboratory, second: Gateway, tmp_path: Path, fault: Any, when: str
) -> None:
    async with open_gateway(laboratory, tmp_path) as first:
        await connected(first)
        await connected(second)
        viewer = await see_every_event_once(first, second, fault, when)
        assert viewer.connections == connections_over(fault)
        stops = {problem["code"] for problem in viewer.problems}
        assert ("stopping" in stops) == (fault is stopped_gateway)


def connections_over(fault: Any) -> int:
    """How many connections the viewer at the first gateway makes: another one if the gateway ends."""
    return 2 if fault in (killed_gateway, stopped_gateway) else 1


async def see_every_event_once(first: Gateway, second: Gateway, fault: Any, when: str) -> Watcher:
    """Check what a viewer at the first gateway, and one at the second, see of a turn during which there is a fault.

    Returns the viewer at the first gateway. When its connection breaks, it continues at the second one.
    """
    await first.laboratory.model.plays(scene("go", TO_PROBE, THREE, says(ONE_BY_ONE)))
    visitor = first.visitor()
    elsewhere = at(second, visitor)
    async with watching(visitor, elsewhere) as viewer, watching(elsewhere) as other:
        message = asyncio.create_task(elsewhere.says("go"))
        await viewer.until(lambda each: when in {event.kind for event in each.all})
        await fault(first)
        assert (await message).text == ONE_BY_ONE
        for each in (viewer, other):
            await each.until(lambda found: 1 in found.replies())
        # The reply may have come before the gateway ended.
        await viewer.until(lambda each: each.connections >= connections_over(fault))
    expected = [event.id for event in await recorded(elsewhere, 1)]
    for each in (viewer, other):
        assert [event.id for event in each.seen] == expected
        assert each.replies() == {1: ONE_BY_ONE}
    return viewer


async def test_without_the_live_channel_viewers_get_the_records(laboratory: Laboratory, tmp_path: Path) -> None:
    await laboratory.model.plays(scene("go", TO_PROBE, THREE, says(ONE_BY_ONE)))
    laboratory.events_ports.append(free_ports(1)[0])  # The mesh's processes do not know this port.
    try:
        async with open_gateway(laboratory, tmp_path) as deaf:
            visitor = deaf.visitor()
            async with watching(visitor) as viewer:
                events = await asks(visitor, "go")
                await viewer.until(lambda each: 1 in each.replies())
                # This gateway does not see a message that goes to Restate's ingress.
                assert (await laboratory.customer(session=visitor.session).says("go")).status == 200
                await viewer.until(lambda each: 2 in each.replies())
    finally:
        laboratory.events_ports.pop()
    assert events[-1].data["text"] == ONE_BY_ONE
    assert [event.id for event in events] == [event.id for event in viewer.seen if event.turn == 1]


async def test_number_of_an_abandoned_turn_is_used_again(gateway: Gateway, second: Gateway) -> None:
    laboratory = gateway.laboratory
    slow = calls(("wait", {"name": "any", "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, slow, says("never")), scene("hello", TO_PROBE, says("hi")))
    await connected(gateway)
    visitor = gateway.visitor()
    async with watching(visitor) as viewer:
        message = asyncio.create_task(visitor.says("go"))
        await viewer.until(lambda each: "tool_started" in kinds(each.seen))
        left = viewer.seen[-1]
        rows = await laboratory.invocations(visitor.session)
        sent = next(row for row in rows if row["target"].endswith("/send"))
        url = f"{laboratory.mesh.addresses.admin_url}/invocations/{sent['id']}/cancel"
        async with laboratory.http.patch(url) as response:
            assert response.ok
        assert (await message).body["code"] == "stopped"
        assert (await visitor.says("hello")).text == "hi"
        await viewer.until(lambda each: 1 in each.replies())
    assert [event.kind for event in viewer.all].count("turn_started") == 2
    record = await recorded(visitor, 1)
    assert [(each.id, each.data["run"]) for each in viewer.seen] == [(each.id, each.data["run"]) for each in record]
    # A viewer that was away meanwhile says which run it has seen, and gets the turn from its start.
    async with watching(at(second, visitor)) as returned:
        returned.seen = [left]
        async with opened(
            at(second, visitor), headers={"last-event-id": left.id}, params={"run": left.data["run"]}
        ) as response:
            again = []
            async for event in read_events(response):
                again.append(event.id)
                if event.kind == "reply":
                    break
    assert again == [each.id for each in record]


async def test_processes_without_the_key_tell_nothing(gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.ports.events}/v1/live"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await gateway.laboratory.http.ws_connect(url)
    assert refused.value.status == 401
    async with gateway.laboratory.http.get(f"{gateway.ports.url}/v1/live") as response:
        assert response.status == 404, "customers have no path to it"
