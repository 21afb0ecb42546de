"""Conversations on a real mesh with endpoints that refuse what real ones refuse: nothing ends in an apology."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from switchboard.local.mesh import DEMO_MODEL
from switchboard.loop.turn import MESSAGE_REFUSED
from switchboard.session.hops import PART_WITHHELD
from switchboard.testing.customer import Customer
from switchboard.testing.scripted_model import calls, says, scene
from tests.laboratory import SOON, Laboratory, open_laboratory
from tests.models.strict_server import REASONING, Dialect, StrictServer

PLAIN_ROLES = frozenset({"user", "assistant", "system", "tool"})
FIELDS = {
    "responses": frozenset({"model", "instructions", "input", "tools"}),
    "chat": frozenset({"model", "messages", "tools"}),
    "messages": frozenset({"model", "max_tokens", "system", "messages", "tools"}),
}
AGENTS = ("triage", "bank", "airline")
PAYMENT = "pay 10 EUR to Bob Brandt"
BALANCE = "how much is my balance?"
TERMS = {"recipient": "bob", "recipient_name": "Bob Brandt", "amount": "10", "currency": "EUR"}
SCENES = (
    scene(PAYMENT, calls(("handoff_to_Bank", {"reason": "a payment"})), calls(("transfer_money", TERMS))),
    # The first step stands for the confirmed call, which the agent makes itself.
    scene("yes", says("never said"), says("It is sent.")),
    scene("thanks", says("You are welcome.")),
    scene(BALANCE, calls(("get_balance", {}), ("list_cards", {})), says("You have enough.")),
    scene("and my bag?", calls(("handoff_to_Airline", {"reason": "a bag"})), says("It can weigh 23 kg.")),
    scene("and my account?", calls(("handoff_to_Bank", {"reason": "an account"})), says("It is fine.")),
)
"""Read from top to bottom by the demo model, which follows them and nothing else while a test plays them."""


@dataclass
class Dialects:
    """A mesh whose models are behind a strict server. `speaks` restarts the agents with another wire API."""

    laboratory: Laboratory
    server: StrictServer
    url: str

    async def speaks(self, api: str, **settings: str) -> None:
        for name in AGENTS:
            process = self.laboratory.mesh.services[name]
            process.environment = {
                **process.environment,
                "OPENAI_BASE_URL": self.url,
                "OPENAI_WIRE_API": api,
                "OPENAI_SENDS": "",
                "SWITCHBOARD_MODEL": "openai:demo",
                **settings,
            }
            await process.stop()
            await process.start()

    def endpoint(self, **dialect: Any) -> None:
        self.server.dialect = Dialect(**dialect)
        self.server.requests.clear()
        self.server.refused.clear()


@pytest.fixture(autouse=True)
async def rules_again(dialects: Dialects) -> AsyncIterator[None]:
    """The scenes of one test are none of the next one's."""
    yield
    await dialects.laboratory.model.follows_rules()


@pytest.fixture(scope="module", params=["responses", "chat", "messages"])
async def dialects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dialects]:
    async with AsyncExitStack() as stack:
        laboratory = await stack.enter_async_context(open_laboratory(tmp_path_factory.mktemp("mesh"), False, SOON))
        server = StrictServer(laboratory.mesh.addresses.service_url(DEMO_MODEL))
        served = TestServer(server.app())
        await served.start_server()
        stack.push_async_callback(served.close)
        opened = Dialects(laboratory, server, str(served.make_url("")).rstrip("/"))
        await opened.speaks(request.param)
        yield opened


def api_of(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["dialects"])


async def converse(customer: Customer, *texts: str) -> list[str]:
    """Say these texts; no reply may be an apology."""
    replies = []
    for text in texts:
        answer = await customer.says(text)
        assert (answer.status, answer.body["failed"]) == (200, False), (text, answer.body)
        replies.append(answer.text)
    return replies


async def test_confirmation_and_hand_offs_on_a_strict_endpoint(
    dialects: Dialects, request: pytest.FixtureRequest
) -> None:
    """It takes no optional field, only plain roles, and only typed items with valid, unique ids."""
    dialects.endpoint(fields=FIELDS[api_of(request)], roles=PLAIN_ROLES)
    await dialects.laboratory.model.plays(*SCENES)
    replies = await converse(
        dialects.laboratory.customer(), PAYMENT, "yes", "thanks", BALANCE, "and my bag?", "and my account?", BALANCE
    )
    assert replies[0].startswith("Please confirm, with yes or no:")
    assert replies[1:] == [
        "It is sent.",
        "You are welcome.",
        "You have enough.",
        "It can weigh 23 kg.",
        "It is fine.",
        "You have enough.",
    ]
    assert dialects.server.refused == []


@pytest.mark.parametrize("given", [("call.0", "call.1"), ("same",), ("x" * 90,), ("",), ("ü ñ",)], ids=repr)
async def test_odd_call_ids_of_an_endpoint_break_no_conversation(dialects: Dialects, given: tuple[str, ...]) -> None:
    dialects.endpoint(call_ids=given)
    await dialects.laboratory.model.plays(*SCENES)
    await converse(dialects.laboratory.customer(), PAYMENT, "yes", "thanks", BALANCE)
    assert dialects.server.refused == []


async def test_declined_question_leaves_a_note_that_every_endpoint_takes(dialects: Dialects) -> None:
    dialects.endpoint(roles=PLAIN_ROLES)
    await dialects.laboratory.model.plays(*SCENES)
    await converse(dialects.laboratory.customer(), PAYMENT, "no", BALANCE)
    assert dialects.server.refused == []


async def test_refused_message_is_withheld_and_the_next_one_works(dialects: Dialects) -> None:
    dialects.endpoint(refused_word="XBLOCKEDX")
    customer = dialects.laboratory.customer()
    await converse(customer, BALANCE)
    answer = await customer.says("tell me about XBLOCKEDX")
    assert answer.body["failed"]
    assert answer.text.startswith(MESSAGE_REFUSED)
    await converse(customer, BALANCE, "thanks")
    users = [message for message in await customer.messages() if message["kind"] == "user"]
    assert [message.get("withheld", False) for message in users] == [False, True, False, False]
    assert len(dialects.server.refused) == 1


async def test_text_that_is_refused_later_is_found_in_the_history(dialects: Dialects) -> None:
    dialects.endpoint()
    customer = dialects.laboratory.customer()
    await converse(customer, "how much can my bag weigh? YLATERY", BALANCE, "thanks", BALANCE)
    dialects.endpoint(refused_word="YLATERY")
    answer = await customer.says("and which loans do I have?")
    assert not answer.body["failed"]
    assert answer.text.startswith(PART_WITHHELD)
    refused = len(dialects.server.refused)
    assert PART_WITHHELD not in (await converse(customer, BALANCE))[0]
    assert len(dialects.server.refused) == refused
    users = [message for message in await customer.messages() if message["kind"] == "user"]
    assert [message.get("withheld", False) for message in users] == [True, False, False, False, False, False]


async def test_conversation_that_outgrows_the_context_goes_on(dialects: Dialects) -> None:
    dialects.endpoint()
    customer = dialects.laboratory.customer()
    await converse(customer, BALANCE, BALANCE)
    longest = max(len(json.dumps(body)) for body in dialects.server.requests)
    dialects.endpoint(bytes_max=longest)
    await converse(customer, BALANCE, "thanks", BALANCE)
    assert dialects.server.refused


async def test_reasoning_goes_back_unchanged_to_the_same_model(
    dialects: Dialects, request: pytest.FixtureRequest
) -> None:
    if api_of(request) != "responses":
        pytest.skip("the demo model's reasoning has the form of the Responses API")
    dialects.endpoint(reasoning=True)
    await dialects.laboratory.model.plays(*SCENES)
    await converse(dialects.laboratory.customer(), PAYMENT, "yes", BALANCE)
    last = dialects.server.requests[-1]["input"]
    kinds = [item["type"] for item in last]
    assert REASONING in last
    assert all(
        kinds[index + 1] in ("function_call", "message") for index, kind in enumerate(kinds) if kind == "reasoning"
    )


async def test_model_that_changes_in_mid_turn_ends_the_turn_well(
    dialects: Dialects, request: pytest.FixtureRequest
) -> None:
    customer = dialects.laboratory.customer()
    await dialects.laboratory.model.fails({"kind": "http_503", "times": 2, "retry_after_s": 1})
    dialects.endpoint()
    waiting = asyncio.create_task(customer.says(BALANCE))
    await asyncio.sleep(1)
    await dialects.speaks(
        api_of(request), SWITCHBOARD_MODEL="openai:another-model", SWITCHBOARD_FALLBACK_MODELS="openai:third"
    )
    answer = await waiting
    await dialects.laboratory.model.recovers()
    assert (answer.status, answer.body["failed"]) == (200, False)
