"""The adapter to tau2-bench on a real mesh, with a stand-in for the runner that has the same interface."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from evals import tau2_agent
from evals.cases.form import Case
from evals.cases.play import mesh_for_cases
from evals.cases.script import scenes
from evals.mesh import EvalMesh
from evals.tasks import BadFile
from evals.tau2 import Bridge, customer_in, main
from switchboard.local.process import free_ports
from switchboard.local.restate_server import find_binary
from tests.parts import need

CANCEL = {"tool": "cancel_reservation", "arguments": {"reservation_id": "EF3391", "reason": "health"}}
CASE = Case.model_validate(
    {
        "name": "tau2",
        "about": "a cancellation",
        "agent": "Airline",
        "turns": [
            {
                "says": "Cancel EF3391, please.",
                "script": [
                    {"calls": [{"tool": "get_user_details"}, {"tool": "list_all_airports"}]},
                    {"calls": [CANCEL]},
                ],
                "after_yes": [{"text": "It is cancelled."}],
            }
        ],
    }
)
TOOLS = {"get_user_details": ["user_id"], "cancel_reservation": ["reservation_id"]}
PROFILE = ("get_user_details", {"user_id": "carol"})
CANCELLED = ("cancel_reservation", {"reservation_id": "EF3391"})


@dataclass
class AssistantMessage:
    role: str
    content: str | None
    tool_calls: list[Any] | None = None


@dataclass
class ToolCall:
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass
class ToolMessage:
    content: str


@dataclass
class UserMessage:
    content: str


class HalfDuplexAgent:
    def __init__(self, tools: list[Any], domain_policy: str) -> None:
        self.tools, self.domain_policy = tools, domain_policy


class Registry:
    def __init__(self) -> None:
        self.factories: dict[str, Any] = {}

    def register_agent_factory(self, factory: Any, name: str) -> None:
        self.factories[name] = factory


@dataclass
class Tool:
    name: str
    parameters: list[str]

    @property
    def openai_schema(self) -> dict[str, Any]:
        properties = {name: {"type": "string"} for name in self.parameters}
        return {"type": "function", "function": {"name": self.name, "parameters": {"properties": properties}}}


@dataclass
class Task:
    user_scenario: str = "You are Carol Chen, your user id is carol."


@dataclass
class Runner:
    """A stand-in for the benchmark's orchestrator: it sends a message and makes the agent's calls until it replies."""

    agent: Any
    world: Callable[[ToolCall], str]
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def begin(self) -> None:
        self.state = self.agent.get_init_state(message_history=[])

    def says(self, text: str) -> str:
        message: Any = UserMessage(text)
        for _ in range(20):
            answer, self.state = self.agent.generate_next_message(message, self.state)
            assert (answer.content is None) != (answer.tool_calls is None)
            if answer.content is not None:
                return str(answer.content)
            [call] = answer.tool_calls
            self.made.append((call.name, call.arguments))
            message = ToolMessage(self.world(call))
        raise AssertionError("the agent never replied")


@pytest.fixture(scope="module")
async def mesh() -> AsyncIterator[EvalMesh]:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    async with mesh_for_cases() as opened:
        yield opened


@pytest.fixture
async def bridge(mesh: EvalMesh) -> AsyncIterator[tuple[Bridge, str]]:
    """Run the bridge to a mesh that plays the case. Yields the bridge and its address."""
    await mesh.control("PUT", "script", scenes(CASE))
    [port] = free_ports(1)
    opened = Bridge(mesh, {"carol": {}})
    server = web.AppRunner(opened.application())
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", port).start()
    yield opened, f"http://127.0.0.1:{port}"
    await server.cleanup()


@pytest.fixture
def runner(bridge: tuple[Bridge, str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Return a runner with the mesh as its agent. Its calls return the same results as the mesh's tools."""
    registry = Registry()
    modules: dict[str, dict[str, Any]] = {
        "tau2.registry": {"registry": registry},
        "tau2.agent.base_agent": {"HalfDuplexAgent": HalfDuplexAgent},
        "tau2.data_model.message": {
            "AssistantMessage": AssistantMessage,
            "ToolCall": ToolCall,
            "ToolMessage": ToolMessage,
        },
    }
    for name, words in modules.items():
        module = ModuleType(name)
        vars(module).update(words)
        monkeypatch.setitem(sys.modules, name, module)
    for package in ("tau2", "tau2.agent", "tau2.data_model"):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    opened, url = bridge
    tau2_agent.register(tau2_agent.Bridge(url))
    create = registry.factories["switchboard"]
    tools = [Tool(name, parameters) for name, parameters in TOOLS.items()]

    def as_the_mesh(call: ToolCall) -> str:
        assert opened.conversation is not None
        return next(one.content for one in opened.conversation.shown if one.name == call.name)

    return Runner(create(tools, "policy", llm="any", llm_args=None, task=Task()), as_the_mesh)


async def test_runner_gets_the_meshs_calls_and_replies(bridge: tuple[Bridge, str], runner: Runner) -> None:
    await asyncio.to_thread(runner.begin)
    asked = await asyncio.to_thread(runner.says, "Cancel EF3391, please.")
    assert "EF3391" in asked
    assert "confirm" in asked
    assert runner.made == [PROFILE]
    assert await asyncio.to_thread(runner.says, "Yes, please go ahead.") == "It is cancelled."
    assert runner.made == [PROFILE, CANCELLED]
    await asyncio.to_thread(runner.agent.stop, None, runner.state)
    assert bridge[0].not_comparable == {}
    assert bridge[0].begun == 1


async def test_different_results_are_reported_as_not_comparable(bridge: tuple[Bridge, str], runner: Runner) -> None:
    runner.world = lambda _: '{"reservation_id": "EF3391", "status": null}'
    await asyncio.to_thread(runner.begin)
    await asyncio.to_thread(runner.says, "Cancel EF3391, please.")  # Only a look-up so far, nothing to compare.
    with pytest.raises(tau2_agent.BridgeFailed, match="not comparable: cancel_reservation"):
        await asyncio.to_thread(runner.says, "yes")
    assert list(bridge[0].not_comparable) == [1]


async def test_each_conversation_starts_from_the_initial_state(bridge: tuple[Bridge, str], runner: Runner) -> None:
    for _ in range(2):
        await asyncio.to_thread(runner.begin)
        await asyncio.to_thread(runner.says, "Cancel EF3391, please.")
        assert await asyncio.to_thread(runner.says, "yes") == "It is cancelled."
    assert runner.made == [PROFILE, CANCELLED] * 2


async def test_message_without_an_open_conversation_is_refused(bridge: tuple[Bridge, str]) -> None:
    asked = tau2_agent.Bridge(bridge[1])
    with pytest.raises(tau2_agent.BridgeFailed, match="no conversation"):
        await asyncio.to_thread(asked.ask, "heard", {"text": "hello"})
    with pytest.raises(tau2_agent.BridgeFailed, match="no customer"):
        await asyncio.to_thread(asked.ask, "begin", {"scenario": "You are a stranger.", "tools": {}})


def test_customer_is_named_by_the_scenario() -> None:
    assert customer_in("Your user id is 'carol'.", {"carol": {}, "dave": {}}) == "carol"
    with pytest.raises(BadFile):
        customer_in("You are a stranger.", {"carol": {}})


def test_benchmark_needs_a_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["--model", "gpt-5-mini", "--data", "data", "--tau2-python", "python"]) == 2
    assert "OPENAI_API_KEY" in capsys.readouterr().err
