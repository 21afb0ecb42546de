"""Attacks on the A2A server: foreign tasks and contexts, forged tokens, and what the public card tells."""

import json
from typing import Any

import pytest

from switchboard.gateway.identity import Caller
from switchboard.session_ids import own_session_id
from switchboard.testing import JSON, calls, says, scene
from tests.attacks.mesh import TO_PROBE, VICTIM, VICTIMS_TEXT, Attacked
from tests.gateway.a2a_client import VERSION, OtherAgent, code, held_id, message, state
from tests.gateway.front import SECRET
from tests.gateway.test_a2a import unique
from tests.unit.gateway.test_identity import HS_REFUSED

ASKS = "pay Bob over A2A"
MESSAGE_ID = "the-victims-message"


@pytest.fixture(scope="module")
async def task(attacked: Attacked) -> JSON:
    """The victim's task, with a question that waits for their yes."""
    pay = calls(("pay", {"to": "Bob", "amount": "5"}))
    await attacked.laboratory.model.plays(scene(ASKS, TO_PROBE, pay))
    asked = await OtherAgent(attacked.gateway.visitor(VICTIM)).sends(ASKS, MESSAGE_ID)
    assert state(asked) == "INPUT_REQUIRED"
    return asked


def answer(task: JSON) -> JSON:
    sent = message("", taskId=task["id"])
    sent["message"]["parts"] = [{"data": {"confirmation": {"heldId": held_id(task), "confirmed": True}}}]
    return sent


def operations(task: JSON) -> dict[str, tuple[str, JSON]]:
    """Everything that names a task or a context of the victim."""
    push = {"taskId": task["id"], "id": "1", "url": "https://example.com"}
    return {
        "get": ("GetTask", {"id": task["id"]}),
        "cancel": ("CancelTask", {"id": task["id"]}),
        "subscribe": ("SubscribeToTask", {"id": task["id"]}),
        "answer": ("SendMessage", answer(task)),
        "answer in a stream": ("SendStreamingMessage", answer(task)),
        "yes": ("SendMessage", message("yes", taskId=task["id"])),
        "context": ("SendMessage", message("yes", contextId=task["contextId"])),
        "context in a stream": ("SendStreamingMessage", message("yes", contextId=task["contextId"])),
        "context of the console": ("SendMessage", message("yes", contextId="victims-session")),
        "list": ("ListTasks", {"contextId": task["contextId"]}),
        "push": ("CreateTaskPushNotificationConfig", push),
        "read push": ("GetTaskPushNotificationConfig", {"taskId": task["id"], "id": "1"}),
        "list push": ("ListTaskPushNotificationConfigs", {"taskId": task["id"]}),
        "delete push": ("DeleteTaskPushNotificationConfig", {"taskId": task["id"], "id": "1"}),
    }


ANY: JSON = {"heldId": ""}
NAMES = list(
    operations(
        {"id": "", "contextId": "", "status": {"message": {"parts": [{"data": {"confirmation": ANY}}]}}},
    )
)


@pytest.mark.parametrize("name", NAMES)
async def test_another_customer_can_do_nothing_with_a_task(attacked: Attacked, task: JSON, name: str) -> None:
    method, params = operations(task)[name]
    async with attacked.nothing_changes():
        refused = await OtherAgent(attacked.attacker()).watches(method, **params)
    assert_refused(refused, task)


@pytest.mark.parametrize("name", NAMES)
async def test_an_agent_that_only_claims_to_be_the_victim_can_do_nothing(
    attacked: Attacked, task: JSON, name: str
) -> None:
    method, params = operations(task)[name]
    claimed = OtherAgent(attacked.gateway.visitor(VICTIM, signed_in=False))
    async with attacked.nothing_changes():
        refused = await claimed.watches(method, **params)
    assert_refused(refused, task)


def assert_refused(refused: list[JSON], task: JSON) -> None:
    (only,) = refused
    assert code(only) in (-32001, -32602, -32003, -32004), only
    assert ASKS not in json.dumps(only)
    assert held_id(task) not in json.dumps(only)


async def test_the_victims_message_id_is_no_way_into_their_context(attacked: Attacked, task: JSON) -> None:
    """The same messageId of another caller is another task, and the name of the victim's context is not theirs."""
    await attacked.laboratory.model.plays(scene("hi over A2A", says("hello")))
    claimed = OtherAgent(attacked.gateway.visitor(VICTIM, signed_in=False))
    for other in (claimed, OtherAgent(attacked.attacker())):
        own = await other.sends("hi over A2A", MESSAGE_ID)
        assert (state(own), own["contextId"] != task["contextId"]) == ("COMPLETED", True)


async def test_the_name_of_a_context_cannot_be_taken_before_its_first_message(attacked: Attacked) -> None:
    """An attacker who guesses the next messageId computes the name that the victim's context will have."""
    guessed = unique()
    name = own_session_id("a2a", guessed, Caller(VICTIM, True).standing)
    async with attacked.nothing_changes():
        refused = await OtherAgent(attacked.attacker()).sends("mine", contextId=name)
        assert code(refused) == -32602
        assert (await attacked.attacker(session=name).says("mine")).body["code"] == "session_forbidden"
    await attacked.laboratory.model.plays(scene("hi over A2A", says("hello")))
    own = await OtherAgent(attacked.gateway.visitor(VICTIM)).sends("hi over A2A", guessed)
    assert (state(own), own["contextId"]) == ("COMPLETED", name)


TOKENS = {row[0]: f"Bearer {row[1]}" for row in HS_REFUSED} | {"no token": "", "basic": "Basic YWxpY2U6YWxpY2U="}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
async def test_a_forged_token_is_refused(attacked: Attacked, task: JSON, token: str) -> None:
    agent = OtherAgent(attacked.gateway.visitor(VICTIM))
    async with attacked.nothing_changes():
        for method, params in operations(task).values():
            refused = await agent.calls(method, {"authorization": token, **VERSION} if token else VERSION, **params)
            assert (refused["status"], refused.get("code")) == (401, "unauthorized")


@pytest.mark.parametrize(
    "path", ["tasks/{id}", "tasks?contextId={context}", "tasks/{id}:subscribe", "tasks/{id}/pushNotificationConfigs"]
)
async def test_http_json_is_guarded_like_json_rpc(attacked: Attacked, task: JSON, path: str) -> None:
    agent = OtherAgent(attacked.attacker())
    url = f"{agent.address}/{path.format(id=task['id'], context=task['contextId'])}"
    for headers, expected in ((VERSION, 401), (agent.headers, 400)):
        async with attacked.nothing_changes(), attacked.laboratory.http.get(url, headers=headers) as response:
            assert response.status in (expected, 404 if expected == 400 else expected), await response.text()
            assert ASKS not in await response.text()


async def test_the_card_tells_only_what_agents_say_about_themselves(attacked: Attacked) -> None:
    url = f"{attacked.gateway.ports.url}/.well-known/agent-card.json"
    async with attacked.laboratory.http.get(url, headers={"host": "evil.example"}) as response:
        assert response.status == 200
        card: Any = await response.json()
    text = json.dumps(card)
    mesh = attacked.laboratory.mesh
    private = (
        *("get_balance", "transfer_money", "CustomerUsage", "StaffDoor", "instructions", "evil.example", SECRET),
        *(mesh.addresses.ingress_url, mesh.addresses.admin_url, "127.0.0.1", VICTIM, VICTIMS_TEXT),
    )
    assert [each for each in private if each in text] == []
    assert {skill["name"] for skill in card["skills"]} >= {"Triage", "Probe"}
    assert {each["url"] for each in card["supportedInterfaces"]} == {"https://agents.example.com/v1/a2a"}
