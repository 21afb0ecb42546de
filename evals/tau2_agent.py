"""The mesh as an agent of tau2-bench: runs in the benchmark's interpreter, and needs nothing but it and a bridge.

Started by evals/tau2.py, with the bridge's address as its first argument.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

AGENT = "switchboard"
DOMAIN = "airline"
ANSWER_TIMEOUT_S = 900.0


class BridgeFailed(Exception):
    """The mesh could not answer, or its world is not the benchmark's; the message is the bridge's."""


@dataclass(frozen=True)
class Bridge:
    """The bridge's four requests."""

    url: str

    def ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/{what}", data=json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise BridgeFailed(f"{what}: {error.read().decode(errors='replace')}") from error
        return answer


@dataclass
class State:
    """Calls that the runner has not been shown yet, what it answered to those that it was, and the reply after them."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    reply: str = ""
    shown: int = 0


@dataclass
class Player:
    """What the agent does, without the benchmark's types."""

    bridge: Bridge
    scenario: str
    tools: dict[str, list[str]]

    def begin(self) -> State:
        self.bridge.ask("begin", {"scenario": self.scenario, "tools": self.tools})
        return State()

    def heard(self, state: State, text: str) -> None:
        """The customer has written: the mesh answers, and has perhaps made calls."""
        answer = self.bridge.ask("heard", {"text": text})
        state.waiting, state.reply, state.contents = answer["calls"], answer["reply"], []

    def answered(self, state: State, content: str) -> None:
        """The runner has made the call that it was shown; after the last one all are compared."""
        state.contents.append(content)
        if not state.waiting:
            self.bridge.ask("results", {"contents": state.contents})

    def next_call(self, state: State) -> tuple[str, dict[str, Any]] | None:
        """An id and the call that the runner is to make next; None when it is the reply's turn."""
        if not state.waiting:
            return None
        state.shown += 1
        return f"mesh-{state.shown}", state.waiting.pop(0)

    def end(self) -> None:
        self.bridge.ask("end", {})


def parameters_of(tools: list[Any]) -> dict[str, list[str]]:
    """The arguments of the benchmark's tools, from the schemas that they give for models."""
    schemas = [tool.openai_schema["function"] for tool in tools]
    return {schema["name"]: sorted(schema["parameters"].get("properties", {})) for schema in schemas}


def agent_class() -> type[Any]:
    """The agent as the benchmark wants it. Imported here, so that all else can be tested without it."""
    from tau2.agent.base_agent import HalfDuplexAgent  # noqa: PLC0415
    from tau2.data_model.message import AssistantMessage, ToolCall, ToolMessage  # noqa: PLC0415

    class SwitchboardAgent(HalfDuplexAgent):  # type: ignore[misc]  # not there when types are checked
        """A conversation with the mesh. What the mesh did is shown to the runner as calls, one by one."""

        def __init__(self, tools: list[Any], domain_policy: str, player: Player) -> None:
            super().__init__(tools=tools, domain_policy=domain_policy)
            self.player = player

        def get_init_state(self, message_history: list[Any] | None = None) -> State:
            return self.player.begin()

        def generate_next_message(self, message: Any, state: State) -> tuple[Any, State]:
            if isinstance(message, ToolMessage):
                self.player.answered(state, message.content)
            else:
                self.player.heard(state, message.content)
            asked = self.player.next_call(state)
            if asked is None:
                return AssistantMessage(role="assistant", content=state.reply), state
            call_id, call = asked
            made = ToolCall(id=call_id, name=call["name"], arguments=call["arguments"])
            return AssistantMessage(role="assistant", content=None, tool_calls=[made]), state

        def stop(self, message: Any = None, state: State | None = None) -> None:
            self.player.end()

        def set_seed(self, seed: int) -> None:
            """The mesh's model has none."""

    return SwitchboardAgent


def register(bridge: Bridge) -> None:
    """Make the mesh known to the runner as the agent `switchboard`."""
    from tau2.registry import registry  # noqa: PLC0415

    kind = agent_class()

    def create(tools: list[Any], domain_policy: str, **named: Any) -> Any:
        return kind(tools, domain_policy, Player(bridge, str(named["task"].user_scenario), parameters_of(tools)))

    registry.register_agent_factory(create, AGENT)


def run(given: argparse.Namespace) -> None:
    """Let the benchmark have its conversations with the mesh, one after the other: each needs it for itself."""
    from tau2.data_model.simulation import TextRunConfig  # noqa: PLC0415
    from tau2.run import run_domain  # noqa: PLC0415

    register(Bridge(given.bridge))
    settings: dict[str, Any] = {
        "domain": DOMAIN,
        "agent": AGENT,
        "llm_user": given.user_model,
        "task_split_name": given.split,
        "task_ids": given.task,
        "num_trials": given.trials,
        "max_concurrency": 1,
        "save_to": given.save_to,
    }
    run_domain(TextRunConfig(**settings))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tau2_agent.py", description=__doc__)
    parser.add_argument("bridge", help="the bridge's address")
    parser.add_argument("--user-model", required=True, help="the model that plays the customer, as tau2 names it")
    parser.add_argument("--split", default="test", help="the benchmark's split of tasks (default: test)")
    parser.add_argument("--task", action="append", help="only this task; may be given several times")
    parser.add_argument("--trials", type=int, default=1, help="conversations for each task")
    parser.add_argument("--save-to", help="the name under which tau2 keeps the results")
    given = parser.parse_args()
    try:
        run(given)
    except ImportError as error:
        sys.stderr.write(f"tau2-bench is not in this interpreter's environment: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
