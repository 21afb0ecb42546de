"""Decisions of a turn: journals of version 1, the cost of a cancelled call, and failures that texts may cause."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, cast

import pytest
import restate

from switchboard import Agent, Tool, ToolInput
from switchboard.loop.attempts import GiveUp, Plan
from switchboard.loop.decide import Act, ApprovedCall
from switchboard.loop.decisions import Asking, first_plan, is_server_error, request_decision
from switchboard.loop.turn import decide_as_journaled
from switchboard.messages import Identity, ModelReply, ToolCall, TurnRequest, UserText, WireModel
from switchboard.models.connect import model_of
from switchboard.models.model import Model, ModelRejected, ModelUnavailable
from switchboard.models.settings import ModelSettings


class Search(ToolInput):
    text: str
    limit: int = 10


class Found(WireModel):
    found: int


AGENT = Agent(
    name="Bank", handles="money", instructions="Help.", tools=(Tool("Mail", "search", "Search.", Search, Found),)
)
IDENTITY = Identity(session_id="s", customer_id="alice")
NULL = ModelReply(
    agent="Bank", calls=(ToolCall(call_id="c", tool="search", arguments='{"text": "rent", "limit": null}'),)
)


def request(journal: int) -> TurnRequest:
    return TurnRequest(identity=IDENTITY, transcript=(UserText(text="rent?"),), journal=journal)


@pytest.mark.parametrize(("journal", "approved"), [(1, False), (2, True)])
def test_null_for_an_optional_argument_is_decided_as_in_the_version_of_the_journal(
    journal: int, approved: bool
) -> None:
    decision = decide_as_journaled(NULL, AGENT, request(journal))
    assert isinstance(decision, Act)
    assert [isinstance(call, ApprovedCall) for call in decision.calls] == [approved]
    assert decision.unfit == int(not approved)


@pytest.mark.parametrize(("journal", "model"), [(1, 0), (2, 1)])
def test_next_step_begins_with_the_model_that_answered_unless_the_journal_names_the_first_one(
    journal: int, model: int
) -> None:
    asking = Asking(AGENT, [], request(journal), plan=Plan(model=1, withheld=(0,)))
    assert first_plan(asking) == Plan(model=model, first=model, withheld=(0,))


@pytest.mark.parametrize(
    ("kind", "give_up", "searched"),
    [
        ("500", False, True),
        ("502", False, True),
        ("500", True, False),
        ("503", False, False),
        ("529", False, False),
        ("429", False, False),
        ("timeout", False, False),
    ],
)
def test_texts_are_suspected_only_for_errors_that_the_server_does_not_explain(
    kind: str, give_up: bool, searched: bool
) -> None:
    assert is_server_error(ModelUnavailable("no", kind, give_up=give_up)) is searched


class Cancelled:
    """A context whose invocation is cancelled while a model call is under way."""

    def __init__(self, after: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.after = after

    async def run_typed(self, name: str, action: Callable[..., Any], options: Any, *arguments: Any) -> Any:
        call = asyncio.create_task(action(*arguments))
        await self.after()
        call.cancel()
        raise restate.TerminalError("cancelled", 409)


async def cost_of_cancelled_call(model: Model, after: Callable[[], Coroutine[Any, Any, None]]) -> int:
    asking = Asking(AGENT, [model], request(2))
    with pytest.raises(restate.TerminalError):
        await request_decision(cast(restate.Context, Cancelled(after)), asking, [], 0)
    return sum(spent.usage.input_tokens for spent in asking.spent)


async def test_cancelled_call_is_charged_only_if_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    received, answering = asyncio.Event(), asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set()
        await answering.wait()
        writer.close()

    server = await asyncio.start_server(hangs, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    settings = ModelSettings()
    models = [model_of(settings.choose("openai:m"), settings)]
    assert await cost_of_cancelled_call(models[0], lambda: asyncio.sleep(0)) == 0, "it waits for the client"

    async def sent() -> None:
        async with asyncio.timeout(timedelta(seconds=30).total_seconds()):
            await received.wait()

    assert await cost_of_cancelled_call(models[0], sent) > 0
    answering.set()
    server.close()


class Unpaused:
    """A context that makes each step at once and waits for nothing."""

    async def run_typed(self, name: str, action: Callable[..., Any], options: Any, *arguments: Any) -> Any:
        return await action(*arguments)

    async def sleep(self, delta: timedelta, name: str | None = None) -> None:
        pass


class Broken:
    """A model of which every request fails for this reason."""

    name = "broken"

    def __init__(self, error: ModelUnavailable | ModelRejected) -> None:
        self.error = error

    async def ask(self, *_: Any) -> ModelReply:
        raise self.error

    def __getattr__(self, name: str) -> str:
        return ""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelUnavailable("alice's words", "429"), "429"),
        (ModelUnavailable("alice's words", "timeout"), "timeout"),
        (ModelRejected("alice's words", "401"), "401"),
    ],
)
async def test_log_tells_why_a_model_failed_and_quotes_no_one(
    error: ModelUnavailable | ModelRejected, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    asking = Asking(AGENT, [cast(Model, Broken(error))], request(2))
    assert isinstance(await request_decision(cast(restate.Context, Unpaused()), asking, [], 0), GiveUp)
    assert f"agent Bank, model attempt 1 failed ({kind}): [hidden]" in caplog.messages
    assert "alice" not in caplog.text
