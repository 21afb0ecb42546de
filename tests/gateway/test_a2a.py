"""The A2A server: conversations, confirmations, and the same task at every gateway."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from switchboard.session_ids import made_for
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.a2a_client import VERSION, OtherAgent, code, message, question, reply, state, task_of
from tests.gateway.front import Gateway, guest_token, open_gateway
from tests.gateway.test_event_streams import connected
from tests.laboratory import LONG_MS, Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

EVENTS_BEFORE = 3
"""Events of a task until its tool runs: the task, and the two agents."""

A2A = {"GATEWAY_A2A_URL": "https://agents.example.com"}


@pytest.fixture(scope="module")
async def front(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway that serves A2A."""
    async with open_gateway(laboratory, tmp_path_factory.mktemp("a2a"), A2A) as opened:
        yield opened


@pytest.fixture(scope="module")
async def other(front: Gateway, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """Another gateway, which has seen nothing."""
    async with open_gateway(front.laboratory, tmp_path_factory.mktemp("other"), A2A) as opened:
        yield opened


def unique() -> str:
    return uuid4().hex


def pays(name: str, *after: JSON) -> JSON:
    """A scene in which a payment to `name` waits for the customer's yes."""
    return scene(f"pay {name}", TO_PROBE, calls(("pay", {"to": name, "amount": "1.00"})), *after)


def paid(laboratory: Laboratory, name: str) -> int:
    return laboratory.probed(f'paid {{"to":"{name}","amount":"1.00"}}')


async def test_a_message_is_a_task_with_the_reply_as_artifact(front: Gateway, other: Gateway) -> None:
    await front.laboratory.model.plays(scene("hello", says("hello yourself")))
    agent = OtherAgent(front.visitor())
    done = await agent.sends("hello")
    assert (state(done), reply(done)) == ("COMPLETED", "hello yourself")
    assert [each["role"] for each in done["history"]] == ["ROLE_USER", "ROLE_AGENT"]
    assert await agent.at(other.ports.url).gets(done) == done
    assert "history" not in await agent.gets(done, historyLength=0)
    second = await agent.sends("hello", contextId=done["contextId"])
    assert (second["contextId"], second["id"] == done["id"]) == (done["contextId"], False)
    listed = await agent.calls("ListTasks", contextId=done["contextId"])
    assert [each["id"] for each in listed["tasks"]] == [second["id"], done["id"]]


@pytest.mark.parametrize("word", ["data", "text"])
async def test_a_confirmation_is_answered_in_its_task(front: Gateway, other: Gateway, word: str) -> None:
    name = unique()
    await front.laboratory.model.plays(pays(name), scene("Yes.", says("never said"), says("it is done")))
    agent = OtherAgent(front.visitor())
    asked = await agent.sends(f"pay {name}")
    assert state(asked) == "INPUT_REQUIRED"
    assert question(asked)["calls"] == [
        {"tool": "pay", "question": f"Pay 1.00 EUR to {name}?", "arguments": {"to": name, "amount": "1.00"}}
    ]
    assert paid(front.laboratory, name) == 0
    elsewhere = agent.at(other.ports.url)
    answer_id = unique()
    for client in (elsewhere, agent):
        done = (
            await client.answers(asked, True, answer_id)
            if word == "data"
            else await client.sends("Yes.", answer_id, taskId=asked["id"])
        )
        assert (state(done), reply(done), done["id"]) == ("COMPLETED", "it is done", asked["id"])
    assert paid(front.laboratory, name) == 1
    over = await agent.answers(asked, True) if word == "data" else await agent.sends("again", taskId=asked["id"])
    assert code(over) == -32004


async def test_a_declined_payment_is_a_canceled_task(front: Gateway) -> None:
    names = [unique() for _ in range(3)]
    await front.laboratory.model.plays(*(pays(name) for name in names), scene("hello", says("hi")))
    agents = [OtherAgent(front.visitor()) for _ in names]
    asked = [await agent.sends(f"pay {name}") for agent, name in zip(agents, names, strict=True)]
    declined = await agents[0].answers(asked[0], False)
    canceled = await agents[1].calls("CancelTask", id=asked[1]["id"])
    await agents[2].sends("hello", contextId=asked[2]["contextId"])
    dropped = await agents[2].gets(asked[2])
    assert [state(each) for each in (declined, canceled, dropped)] == ["CANCELED"] * 3
    assert [paid(front.laboratory, name) for name in names] == [0, 0, 0]
    assert code(await agents[0].calls("CancelTask", id=asked[0]["id"])) == -32002


async def test_a_running_task_is_canceled_and_a_queued_one_waits(front: Gateway) -> None:
    slowly = calls(("wait", {"name": unique(), "milliseconds": LONG_MS}))
    await front.laboratory.model.plays(scene("hello", says("hi")), scene("slow", TO_PROBE, slowly))
    agent, context = OtherAgent(front.visitor()), f"c-{unique()}"
    at_once = {"returnImmediately": True}
    slow = await agent.sends("slow", contextId=context, configuration=at_once)
    queued = await agent.sends("hello", contextId=context, configuration=at_once)
    assert state(queued) == "SUBMITTED"
    assert code(await agent.calls("CancelTask", id=queued["id"])) == -32002

    async def working() -> bool:
        return state(await agent.gets(slow)) == "WORKING"

    await front.laboratory.until(working)
    canceled = await agent.calls("CancelTask", id=slow["id"])
    assert state(canceled) == "CANCELED"
    assert reply(canceled).startswith("Stopped.")
    events = await agent.watches("SubscribeToTask", id=queued["id"])
    assert state(events[-1].get("statusUpdate") or await agent.gets(queued)) == "COMPLETED"


async def test_a_first_message_that_is_sent_again_is_one_task(front: Gateway, other: Gateway) -> None:
    text = f"hello {unique()}"
    await front.laboratory.model.plays(scene(text, says("hello yourself")))
    agent, message_id = OtherAgent(front.visitor()), unique()
    clients = [agent.at(url) for url in (front.ports.url, other.ports.url)] * 5
    tasks = await asyncio.gather(*(client.sends(text, message_id) for client in clients))
    assert [task == tasks[0] for task in tasks] == [True] * 10
    assert len(tasks[0]["history"]) == 2
    # The same id of another customer is another message.
    mallory = OtherAgent(front.visitor("mallory"))
    assert (await mallory.sends(text, message_id))["contextId"] != tasks[0]["contextId"]
    # It is not good for another text.
    assert (await agent.sends("other", message_id))["error"]["data"][0]["metadata"]["code"] == "key_reused"


async def test_a_first_message_before_sign_in_gets_a_secret_context(front: Gateway, other: Gateway) -> None:
    """The server makes the contextId. The same message with the same token finds it again, at any gateway."""
    text, message_id = f"hello {unique()}", unique()
    await front.laboratory.model.plays(scene(text, says("hello yourself")))
    guest = OtherAgent(front.visitor("carol", signed_in=False))
    token, strangers = ({**VERSION, "authorization": f"Bearer {guest_token('carol')}"} for _ in range(2))
    sent = message(text, message_id)
    first = task_of(await guest.calls("SendMessage", token, **sent))
    again = task_of(await guest.at(other.ports.url).calls("SendMessage", token, **sent))
    assert (state(first), again) == ("COMPLETED", first)
    speaker = front.laboratory.mesh.speaker
    assert speaker is None or made_for(first["contextId"], "carol", speaker)
    # It goes on in its context, also with a new token.
    second = await guest.sends(text, contextId=first["contextId"])
    assert (state(second), second["contextId"]) == ("COMPLETED", first["contextId"])
    # Another person who claims to be the same customer, and has guessed the message's id, gets another context.
    theirs = task_of(await guest.calls("SendMessage", strangers, **sent))
    assert (state(theirs), theirs["contextId"] == first["contextId"]) == ("COMPLETED", False)


async def test_a_stream_shows_a_task_until_its_reply(front: Gateway) -> None:
    name = unique()
    await connected(front)
    pay = calls(("pay", {"to": name, "amount": "1.00"}))
    await front.laboratory.model.plays(
        scene(f"pay {name}", TO_PROBE, calls(("hold", {"name": name})), pay),
        scene("Yes.", says("never said"), says("it is done")),
    )
    agent, agents = OtherAgent(front.visitor()), []
    async with agent.streams("SendStreamingMessage", **message(f"pay {name}")) as stream:
        events = []
        async for event in stream:
            events.append(event)
            # The turn goes on when the stream has shown who works on it.
            if (started := event.get("statusUpdate", {}).get("metadata", {}).get("agent")) is not None:
                agents.append(started)
                if started == "Probe":
                    front.laboratory.release(name)
    asked = events[0]["task"]
    assert state(events[-1]["statusUpdate"]) == "INPUT_REQUIRED"
    assert agents == ["Triage", "Probe"]
    held = (await agent.gets(asked))["status"]["message"]["parts"][1]["data"]["confirmation"]["heldId"]
    answer = message("", taskId=asked["id"])
    answer["message"]["parts"] = [{"data": {"confirmation": {"heldId": held, "confirmed": True}}}]
    for _ in range(2):
        events = await agent.watches("SendStreamingMessage", **answer)
        assert task_of(events[0])["id"] == asked["id"]
        done = await agent.gets(asked)
        assert (state(done), reply(done)) == ("COMPLETED", "it is done")
    assert paid(front.laboratory, name) == 1


async def test_a_client_subscribes_again_after_every_event_at_another_gateway(front: Gateway, other: Gateway) -> None:
    """Whatever it has seen, the stream at the other gateway begins with the task and ends with its reply."""
    agent, names = OtherAgent(front.visitor()), [unique() for _ in range(9)]
    held = (scene(f"try {name}", TO_PROBE, calls(("hold", {"name": name})), says("done")) for name in names)
    await front.laboratory.model.plays(*held)
    for gateway in (front, other):
        await connected(gateway)

    async def leaves_after(events_seen: int) -> int:
        name = names[events_seen - 1]
        async with agent.streams("SendStreamingMessage", **message(f"try {name}")) as events:
            seen: list[JSON] = []
            async for number, event in azip(range(1, events_seen + 1), events):
                seen.append(event)
                if number == EVENTS_BEFORE < events_seen:
                    front.laboratory.release(name)
        task: JSON = seen[0]["task"]
        rest: list[JSON] = []
        async with agent.at(other.ports.url).streams("SubscribeToTask", id=task["id"]) as events:
            async for event in events:
                rest.append(event)
                if len(rest) == 1 and events_seen <= EVENTS_BEFORE:
                    front.laboratory.release(name)
        done = await agent.gets(task)
        assert (state(done), reply(done)) == ("COMPLETED", "done")
        if "error" in rest[0]:
            assert code(rest[0]) == -32004
            return 0
        assert rest[0]["task"]["id"] == task["id"]
        if state(rest[0]["task"]) == "COMPLETED":  # It ended while the gateway read it.
            assert len(rest) == 1
            return 0
        assert "statusUpdate" in rest[-1], rest
        assert state(rest[-1]["statusUpdate"]) == "COMPLETED"
        assert rest[-2]["artifactUpdate"]["artifact"]["parts"][0]["text"] == "done"
        return 1

    resumed = await asyncio.gather(*(leaves_after(number) for number in range(1, len(names) + 1)))
    assert resumed[:EVENTS_BEFORE] == [1] * EVENTS_BEFORE, resumed


async def azip(numbers: range, events: AsyncIterator[JSON]) -> AsyncIterator[tuple[int, JSON]]:
    """Yield the first events, as many as there are numbers."""
    for number in numbers:
        try:
            yield number, await anext(events)
        except StopAsyncIteration:
            return


REFUSED: dict[str, tuple[JSON, int]] = {
    "no part": ({"parts": []}, -32602),
    "a file": ({"parts": [{"url": "https://example.com/a.png"}]}, -32005),
    "unknown data": ({"parts": [{"data": {"hello": 1}}]}, -32005),
    "an answer to nothing": ({"parts": [{"data": {"confirmation": {"heldId": "x", "confirmed": True}}}]}, -32602),
    "the agent's role": ({"parts": [{"text": "hello"}], "role": "ROLE_AGENT"}, -32602),
    "an invalid context": ({"parts": [{"text": "hello"}], "contextId": "a/b"}, -32602),
    "an unknown task": ({"parts": [{"text": "hello"}], "taskId": f"a~{'x' * 22}"}, -32001),
    "no task": ({"parts": [{"text": "hello"}], "taskId": "x"}, -32001),
    "an empty text": ({"parts": [{"text": " "}]}, -32602),
    "a long text": ({"parts": [{"text": "x" * 9000}]}, -32602),
}


async def test_messages_that_are_refused_say_why(front: Gateway) -> None:
    agent = OtherAgent(front.visitor())
    for what, (fields, expected) in REFUSED.items():
        sent = {"messageId": unique(), "role": "ROLE_USER", **fields}
        refused = await agent.calls("SendMessage", message=sent)
        assert code(refused) == expected, (what, refused)
        assert refused["error"]["message"].endswith(".") or what == "no part", (what, refused)


async def test_no_address_is_told_about_tasks_unless_its_host_is_allowed(front: Gateway) -> None:
    await front.laboratory.model.plays(scene("hello", says("hi")))
    agent = OtherAgent(front.visitor())
    task = await agent.sends("hello")
    for url in ("https://hooks.example.com/", "http://127.0.0.1:9070/", "https://169.254.169.254/latest/meta-data"):
        config = {"taskPushNotificationConfig": {"url": url}}
        assert code(await agent.sends("hello", configuration=config)) == -32003, url
        given = {"taskId": task["id"], "id": "1", "url": url}
        assert code(await agent.calls("CreateTaskPushNotificationConfig", **given)) == -32003, url
