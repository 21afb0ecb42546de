"""AG-UI with the official client of npm: a conversation with a confirmation, retries, refusals."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest

from switchboard.gateway.agui_api import RUN_BODY_MAX_BYTES
from switchboard.session_ids import make_session_id
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.front import Gateway, Visitor
from tests.parts import PROJECT

CLIENT = Path(__file__).with_name("agui.mjs")
ONE_RUN_MAX_S = 180
TO_PROBE = calls(("handoff_to_Probe", {"reason": "a payment"}))


def unique() -> str:
    return uuid4().hex


def message(text: str, **more: str) -> JSON:
    return {"text": text, **more}


def answer(outcome: JSON, **how: object) -> JSON:
    (interrupt,) = outcome["interrupts"]
    return {"resume": [{"interruptId": interrupt["id"], **how}]}


class Component:
    """The client in a process of its own, in one session."""

    def __init__(self, visitor: Visitor, process: asyncio.subprocess.Process) -> None:
        self.visitor = visitor
        self._process = process

    @classmethod
    async def open(cls, visitor: Visitor) -> "Component":
        arguments = (str(CLIENT), f"{visitor.url}/v1/agui", visitor.token, visitor.session)
        pipe = asyncio.subprocess.PIPE
        return cls(
            visitor, await asyncio.create_subprocess_exec("node", *arguments, cwd=PROJECT, stdin=pipe, stdout=pipe)
        )

    async def runs(self, asked: JSON) -> JSON:
        """Run the agents once, and return what the client has made of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(ONE_RUN_MAX_S):
            done: JSON = json.loads(await self._process.stdout.readline())
        return done

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def said(run: JSON) -> list[str]:
    """Return what the client shows of the agents."""
    return [each["content"] for each in run["messages"] if each["role"] == "assistant" and each.get("content")]


async def test_a_chat_component_confirms_a_payment_and_declines_another(gateway: Gateway) -> None:
    laboratory, name = gateway.laboratory, unique()
    after_yes = scene("Yes.", says("never said"), says("it is done"))
    pays = (scene(f"pay {number}", *steps) for number, steps in enumerate(payments(name), start=1))
    await laboratory.model.plays(scene("hello", says("hello yourself")), *pays, after_yes)
    component = await Component.open(gateway.visitor())
    try:
        hello = await component.runs(message("hello"))
        assert (hello["failed"], hello["outcome"]) == (None, {"type": "success"})
        assert said(hello) == ["hello yourself"]

        asked = await component.runs(message("pay 1"))
        assert asked["outcome"]["type"] == "interrupt"
        assert f"Pay 1.00 EUR to {name}?" in asked["outcome"]["interrupts"][0]["message"]
        done = await component.runs(answer(asked["outcome"], status="resolved", payload={"confirmed": True}))
        assert (said(done)[-1], done["outcome"]) == ("it is done", {"type": "success"})

        again = await component.runs(message("pay 2"))
        declined = await component.runs(answer(again["outcome"], status="cancelled"))
        assert said(declined)[-1] == "Okay, I won't do that."

        assert [laboratory.probed(f'paid {{"to":"{name}","amount":"{amount}"}}') for amount in ("1.00", "2.00")] == [
            1,
            0,
        ]
        turns = (await component.visitor.gets("transcript")).body["turns"]
        assert [turn["reply"] for turn in turns] == said(declined)
    finally:
        await component.close()


def payments(to: str) -> list[list[JSON]]:
    """Return the steps of two messages that ask for a payment. The first one is handed to the agent that pays."""
    first, second = (calls(("pay", {"to": to, "amount": amount})) for amount in ("1.00", "2.00"))
    return [[TO_PROBE, first], [second]]


async def test_a_run_that_is_sent_again_acts_once(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hello yourself")))
    visitor = gateway.visitor()
    given = {
        "threadId": visitor.session,
        "runId": unique(),
        "messages": [{"id": "1", "role": "user", "content": "hello"}],
    }
    first, second = [await run(visitor, given) for _ in range(2)]
    for events in (first, second):
        assert [event["type"] for event in events][:: len(events) - 1] == ["RUN_STARTED", "RUN_FINISHED"]
        assert "".join(event.get("delta", "") for event in events) == "hello yourself"
    assert len((await visitor.gets("transcript")).body["turns"]) == 1


async def run(visitor: Visitor, given: JSON) -> list[JSON]:
    """Send a run, and return its events."""
    headers = {"authorization": f"Bearer {visitor.token}"}
    async with visitor.http.post(f"{visitor.url}/v1/agui", json=given, headers=headers) as response:
        assert response.status == 200, await response.text()
        lines = (await response.text()).split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"threadId": "..", "messages": []}, "threadId"),
        ({"messages": []}, "messages"),
        ({"messages": [{"id": "1", "role": "user", "content": "\ud800"}]}, "surrogate"),
        ({"messages": [{"id": "1", "role": "user", "content": "x" * 9000}]}, "8192"),
        ({"messages": [], "resume": [{"interruptId": "", "status": "cancelled"}]}, "interruptId"),
        ({"messages": [], "resume": [{"interruptId": "h", "status": "resolved"}]}, "confirmed"),
        ({"messages": "none"}, "messages"),
    ],
)
async def test_bad_input_is_refused_with_what_to_do(gateway: Gateway, body: JSON, words: str) -> None:
    visitor = gateway.visitor()
    given = {"threadId": visitor.session, "runId": "r", **body}
    headers = {"authorization": f"Bearer {visitor.token}", "content-type": "application/json"}
    async with visitor.http.post(f"{visitor.url}/v1/agui", data=json.dumps(given), headers=headers) as response:
        problem = await response.json(content_type=None)
    assert response.status in (400, 413)
    assert words in problem["detail"]


@pytest.mark.parametrize(("earlier_chars", "status"), [(100_000, 200), (3_900_000, 200), (RUN_BODY_MAX_BYTES, 413)])
async def test_a_run_may_bring_a_long_conversation(gateway: Gateway, earlier_chars: int, status: int) -> None:
    """AG-UI's clients send all earlier messages again. Only the last one is read."""
    await gateway.laboratory.model.plays(scene("hello", says("hello yourself")))
    visitor = gateway.visitor()
    messages = [{"id": "1", "role": "assistant", "content": "x" * earlier_chars}]
    messages.append({"id": "2", "role": "user", "content": "hello"})
    given = {"threadId": visitor.session, "runId": unique(), "messages": messages}
    headers = {"authorization": f"Bearer {visitor.token}"}
    async with visitor.http.post(f"{visitor.url}/v1/agui", json=given, headers=headers) as response:
        assert (response.status, "RUN_FINISHED" in await response.text()) == (status, status == 200)


async def test_guest_needs_a_session_that_the_gateway_has_made(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hello", says("hello yourself")))
    guest = gateway.visitor(signed_in=False)
    message = {"id": "1", "role": "user", "content": "hello"}
    headers = {"authorization": f"Bearer {guest.token}"}
    for thread in ("chosen", make_session_id("alice", None), make_session_id("bob", gateway.laboratory.mesh.speaker)):
        given = {"threadId": thread, "runId": unique(), "messages": [message]}
        async with guest.http.post(f"{guest.url}/v1/agui", json=given, headers=headers) as response:
            refused = await response.json(content_type=None)
        assert (response.status, refused["code"]) == (403, "session_not_issued")
    events = await run(guest, {"threadId": guest.session, "runId": unique(), "messages": [message]})
    assert events[-1]["type"] == "RUN_FINISHED"


async def test_a_run_in_another_customers_session_is_refused(gateway: Gateway) -> None:
    alice = gateway.visitor()
    await alice.says("hello")
    mallory = await Component.open(gateway.visitor("mallory", session=alice.session))
    try:
        run = await mallory.runs(message("how much is my balance?"))
        assert "403" in run["failed"]["message"] or "another customer" in run["failed"]["message"]
        assert said(run) == []
    finally:
        await mallory.close()
