"""Push notifications of A2A tasks: durable, only to allowed hosts, and only for the task's own customer."""

from collections.abc import AsyncIterator

import pytest

from switchboard.session.push_contract import may_be_told
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.a2a_client import OtherAgent, code, reply, state
from tests.gateway.front import Gateway, open_gateway
from tests.remote.conftest import Insured, unique

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


@pytest.fixture(scope="module")
async def front(insured: Insured) -> AsyncIterator[Gateway]:
    given = {"GATEWAY_A2A_URL": "https://agents.example.com", "SWITCHBOARD_A2A_PUSH_HOSTS": insured.webhook.host}
    async with open_gateway(insured.laboratory, insured.folder, given) as opened:
        yield opened


def told(insured: Insured, task: JSON) -> list[JSON]:
    return [content["task"] for _, content in insured.webhook.told if content["task"]["id"] == task["id"]]


async def test_a_client_is_told_of_the_question_and_of_the_end(insured: Insured, front: Gateway) -> None:
    name, webhook = unique(), insured.webhook
    await insured.laboratory.model.plays(
        scene(f"pay {name}", TO_PROBE, calls(("pay", {"to": name, "amount": "1.00"}))),
        scene("Yes.", says("never said"), says("it is done")),
    )
    authentication = {"scheme": "Bearer", "credentials": "c-1"}
    config: JSON = {"url": f"https://{webhook.host}/told", "token": "t-1", "authentication": authentication}
    webhook.statuses += [503, 500]
    agent = OtherAgent(front.visitor())
    asked = await agent.sends(f"pay {name}", configuration={"taskPushNotificationConfig": config})
    await insured.laboratory.until(lambda: told(insured, asked))
    assert state(told(insured, asked)[0]) == "INPUT_REQUIRED"
    kept = await agent.calls("ListTaskPushNotificationConfigs", taskId=asked["id"])
    assert "c-1" not in str(kept)
    found = await agent.calls("GetTaskPushNotificationConfig", taskId=asked["id"], id="default")
    assert found["url"] == config["url"]
    # Another customer's address for the same task is told nothing.
    mallory = OtherAgent(front.visitor("mallory"))
    refused = await mallory.calls("CreateTaskPushNotificationConfig", taskId=asked["id"], **config)
    assert code(refused) == -32001
    await agent.answers(asked, True)
    await insured.laboratory.until(lambda: len(told(insured, asked)) == 2)
    done = told(insured, asked)[1]
    assert (state(done), reply(done)) == ("COMPLETED", "it is done")
    headers = webhook.told[-1][0]
    assert (headers["X-A2A-Notification-Token"], headers["Authorization"]) == ("t-1", "Bearer c-1")

    async def forgotten() -> bool:
        kept = await insured.laboratory.query("SELECT * FROM state WHERE service_name = 'TaskPush'")
        return asked["id"] not in str(kept)

    await insured.laboratory.until(forgotten)


async def test_an_address_at_another_host_is_refused(insured: Insured, front: Gateway) -> None:
    await insured.laboratory.model.plays(scene("hello", says("hi")))
    agent = OtherAgent(front.visitor())
    task = await agent.sends("hello")
    for url in ("https://evil.example/", f"http://{insured.webhook.host}/told", "https://169.254.169.254/"):
        refused = await agent.calls("CreateTaskPushNotificationConfig", taskId=task["id"], id="1", url=url)
        assert code(refused) == -32602, url
        sent = await agent.sends("hello", configuration={"taskPushNotificationConfig": {"url": url}})
        assert code(sent) == -32602, url
    given = {"taskId": task["id"], "id": "1", "url": f"https://{insured.webhook.host}/told"}
    assert (await agent.calls("CreateTaskPushNotificationConfig", **given))["id"] == "1"
    await agent.calls("DeleteTaskPushNotificationConfig", taskId=task["id"], id="1")
    assert code(await agent.calls("GetTaskPushNotificationConfig", taskId=task["id"], id="1")) == -32001


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.example.com/a?b", True),
        ("https://HOOKS.example.com:443/", True),
        ("https://hooks.example.com:8443/", True),
        ("https://hooks.example.com:8444/", False),
        ("http://hooks.example.com/", False),
        ("https://evil.hooks.example.com/", False),
        ("https://hooks.example.com.evil.example/", False),
        ("https://hooks.example.com@evil.example/", False),
        ("https://user@hooks.example.com/", False),
        ("https://hooks.example.com:x/", False),
        ("https://[::1]/", False),
        ("https:///", False),
        ("hooks.example.com", False),
    ],
)
def test_only_allowed_hosts_are_told(url: str, allowed: bool) -> None:
    assert may_be_told(url, ("hooks.example.com", "hooks.example.com:8443")) is allowed
