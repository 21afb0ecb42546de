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
from switchboard.loop.attempts import MODEL_ATTEMPTS
from switchboard.loop.turn import MESSAGE_REFUSED
from switchboard.session.hops import PART_WITHHELD
from tests.laboratory import SOON, Laboratory, open_laboratory
from tests.models.conversation import BALANCE, PAYMENT, SCENES, converse, restart_agents, whole_conversation
from tests.models.strict_server import SEALED, Dialect, StrictServer, reasoning_in

PLAIN_ROLES = frozenset({"user", "assistant", "system", "tool"})
FIELDS = {
    "responses": frozenset({"model", "instructions", "input", "tools"}),
    "chat": frozenset({"model", "messages", "tools"}),
    "messages": frozenset({"model", "max_tokens", "system", "messages", "tools"}),
}


WITHIN_SECONDS = 180
"""Until a request arrives, also on a busy machine."""

TURNS = 10
"""Of agents in the whole conversation: seven messages and three hand-offs."""


@dataclass
class Dialects:
    """A mesh whose models are behind a strict server. `speaks` restarts the agents with another wire API."""

    laboratory: Laboratory
    server: StrictServer
    url: str
    api: str

    async def speaks(self, api: str, **settings: str) -> None:
        await restart_agents(
            self.laboratory,
            **{
                "OPENAI_BASE_URL": self.url,
                "OPENAI_WIRE_API": api,
                "OPENAI_SENDS": "",
                "SWITCHBOARD_MODEL": "openai:demo",
                **settings,
            },
        )

    def endpoint(self, **dialect: Any) -> None:
        self.server.becomes(Dialect(**dialect))


@pytest.fixture(autouse=True)
async def rules_again(dialects: Dialects) -> AsyncIterator[None]:
    """The scenes of one test are none of the next one's."""
    yield
    await dialects.laboratory.model.follows_rules()


# Restate replays at every await, but for one of the APIs.
@pytest.fixture(scope="module", params=["responses", "chat", "messages"])
async def dialects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dialects]:
    async with AsyncExitStack() as stack:
        folder, replays = tmp_path_factory.mktemp("mesh"), request.param != "chat"
        laboratory = await stack.enter_async_context(open_laboratory(folder, replays, SOON))
        server = StrictServer(laboratory.mesh.addresses.service_url(DEMO_MODEL))
        served = TestServer(server.app())
        await served.start_server()
        stack.push_async_callback(served.close)
        opened = Dialects(laboratory, server, str(served.make_url("")).rstrip("/"), request.param)
        await opened.speaks(request.param)
        yield opened


async def test_confirmation_and_hand_offs_on_a_strict_endpoint(dialects: Dialects) -> None:
    """It takes no optional field, only plain roles, and only typed items with valid, unique ids."""
    dialects.endpoint(fields=FIELDS[dialects.api], roles=PLAIN_ROLES)
    await dialects.laboratory.model.plays(*SCENES)
    await whole_conversation(dialects.laboratory.customer())
    assert dialects.server.refused == []


# The same code makes the ids for all APIs, so `make test` tries one API with each odd id, and the others with a pair.
@pytest.mark.at_night(chooses=lambda dialects, given: dialects != "responses" and len(given) == 1)
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
    longest = max(len(json.dumps(body)) for _, body in dialects.server.requests)
    dialects.endpoint(bytes_max=longest)
    await converse(customer, BALANCE, "thanks", BALANCE)
    assert dialects.server.refused


async def test_reasoning_goes_back_unchanged_to_the_same_model(dialects: Dialects) -> None:
    """The server refuses reasoning that it did not give exactly so."""
    dialects.endpoint(reasoning=True)
    await dialects.laboratory.model.plays(*SCENES)
    customer = dialects.laboratory.customer()
    before = len(dialects.server.issued)
    await converse(customer, PAYMENT, "yes", BALANCE)
    assert dialects.server.refused == []
    api, last = dialects.server.requests[-1]
    # The last answer's reasoning comes back with the next request only.
    assert reasoning_in(api, last) == dialects.server.issued[before:-1]
    assert SEALED not in json.dumps(await customer.messages(), ensure_ascii=False)


async def test_reasoning_is_the_same_after_a_kill_of_the_agent(dialects: Dialects) -> None:
    """The agent is killed while it waits for the second answer of a turn, and replays the first one."""
    await dialects.laboratory.model.plays(*SCENES)
    customer = dialects.laboratory.customer()
    dialects.endpoint()
    await converse(customer, "and my account?")
    dialects.endpoint(reasoning=True, held=1)
    before = len(dialects.server.issued)
    waiting = asyncio.create_task(customer.says(BALANCE))
    await asyncio.wait_for(dialects.server.waiting.wait(), WITHIN_SECONDS)
    await dialects.laboratory.mesh.services["bank"].kill()
    dialects.server.dialect.held = 0
    await dialects.laboratory.mesh.services["bank"].start()
    answer = await waiting
    assert (answer.status, answer.body["failed"]) == (200, False)
    assert dialects.server.refused == []
    (_, first), *again = dialects.server.requests
    assert len(again) == 2, "the first step is not asked for again"
    for api, body in again:
        assert reasoning_in(api, body) == [dialects.server.issued[before]]
    assert again[0] == again[1]
    assert reasoning_in(again[0][0], first) == []


async def test_interrupted_conversation_goes_on(dialects: Dialects) -> None:
    """It is interrupted in front of the first answer of a turn, and in front of the second one, after calls."""
    await dialects.laboratory.model.plays(*SCENES)
    customer = dialects.laboratory.customer()
    dialects.endpoint()
    await converse(customer, "and my account?")
    for before in (("thanks",), ()):
        dialects.endpoint(held=1, reasoning=True)
        await converse(customer, *before)
        waiting = asyncio.create_task(customer.says(BALANCE))
        await asyncio.wait_for(dialects.server.waiting.wait(), WITHIN_SECONDS)
        await customer.asks("interrupt")
        assert (await waiting).body["interrupted"]
        dialects.endpoint(reasoning=True)
        await converse(customer, "thanks", BALANCE)
        assert dialects.server.refused == []


async def test_text_that_breaks_the_server_is_withheld_and_the_next_one_works(dialects: Dialects) -> None:
    dialects.endpoint(breaking_word="XBREAKSX")
    customer = dialects.laboratory.customer()
    await converse(customer, BALANCE)
    answer = await customer.says("tell me about XBREAKSX")
    assert answer.text.startswith(MESSAGE_REFUSED)
    failed = len(dialects.server.failed)
    # Four attempts and the control.
    assert failed == MODEL_ATTEMPTS + 1
    await converse(customer, BALANCE, "thanks")
    assert len(dialects.server.failed) == failed


async def test_model_that_changes_in_mid_turn_ends_the_turn_well(dialects: Dialects) -> None:
    customer = dialects.laboratory.customer()
    await dialects.laboratory.model.fails({"kind": "http_503", "times": 2, "retry_after_s": 1})
    dialects.endpoint()
    waiting = asyncio.create_task(customer.says(BALANCE))
    await asyncio.sleep(1)
    await dialects.speaks(
        dialects.api, SWITCHBOARD_MODEL="openai:another-model", SWITCHBOARD_FALLBACK_MODELS="openai:third"
    )
    answer = await waiting
    await dialects.laboratory.model.recovers()
    assert (answer.status, answer.body["failed"]) == (200, False)


OTHER = {"responses": "messages", "chat": "responses", "messages": "chat"}
"""The wire API of the fallback, which another provider serves."""


@pytest.fixture(scope="module")
async def with_fallback(dialects: Dialects) -> Dialects:
    """The same mesh with a fallback. The tests that need it are the last ones, as it stays."""
    fallback = {"VLLM_BASE_URL": dialects.url, "VLLM_WIRE_API": OTHER[dialects.api]}
    await dialects.speaks(dialects.api, SWITCHBOARD_FALLBACK_MODELS="vllm:demo", **fallback)
    return dialects


# `make test` tries each API as the fallback, and each status.
@pytest.mark.at_night(chooses=lambda dialects, status: (dialects == "responses") != (status == 503))
@pytest.mark.parametrize("status", [401, 503])
async def test_fallback_of_another_provider_carries_the_conversation(with_fallback: Dialects, status: int) -> None:
    server, first = with_fallback.server, with_fallback.api
    with_fallback.endpoint(down={first: status}, reasoning=True)
    await with_fallback.laboratory.model.plays(*SCENES)
    await whole_conversation(with_fallback.laboratory.customer())
    assert server.refused == []
    assert {api for api, _ in server.requests} == {OTHER[first]}
    # Ten turns, two of which have two steps: the second step begins with the model that answered the first one.
    assert len(server.requests) == TURNS + 2
    assert len(server.failed) == TURNS * (MODEL_ATTEMPTS if status == 503 else 1)


async def test_reasoning_is_never_sent_to_another_provider(with_fallback: Dialects) -> None:
    """The first model answers, then its fallback, then the first one again, which gets its own reasoning back."""
    server, first = with_fallback.server, with_fallback.api
    await with_fallback.laboratory.model.plays(*SCENES)
    customer, before = with_fallback.laboratory.customer(), len(server.issued)
    with_fallback.endpoint(reasoning=True)
    await converse(customer, PAYMENT, "yes")
    own = server.issued[before:]
    with_fallback.endpoint(reasoning=True, down={first: 401})
    await converse(customer, BALANCE)
    others = server.issued[before + len(own) :]
    assert [reasoning_in(api, body) for api, body in server.requests] == [[], others[:1]]
    with_fallback.endpoint(reasoning=True)
    await converse(customer, "thanks")
    ((api, body),) = server.requests
    assert (api, reasoning_in(api, body)) == (first, own)
    assert server.refused == []
