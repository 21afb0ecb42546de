"""The mesh as an agent of tau2-bench. Runs in the benchmark's interpreter and needs only tau2-bench and the bridge.

Started by evals/tau2.py, with the bridge's address as the first argument.
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
    """The mesh could not answer, or its state differs from the benchmark's; the message is the bridge's."""


@dataclass(frozen=True)
class Bridge:
    """A client for the bridge's four requests."""

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
    """Calls that the runner has not seen yet, its results for those it has seen, and the reply after them."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    reply: str = ""
    shown: int = 0


@dataclass
class Player:
    """The agent's logic, without the benchmark's types."""

    bridge: Bridge
    scenario: str
    tools: dict[str, list[str]]

    def begin(self) -> State:
        self.bridge.ask("begin", {"scenario": self.scenario, "tools": self.tools})
        return State()

    def heard(self, state: State, text: str) -> None:
        """Send the customer's message to the mesh and store its calls and reply."""
        answer = self.bridge.ask("heard", {"text": text})
        state.waiting, state.reply, state.contents = answer["calls"], answer["reply"], []

    def answered(self, state: State, content: str) -> None:
        """Store the runner's result of a call. After the last one, the bridge compares all results."""
        state.contents.append(content)
        if not state.waiting:
            self.bridge.ask("results", {"contents": state.contents})

    def next_call(self, state: State) -> tuple[str, dict[str, Any]] | None:
        """Return an id and the next call for the runner; None if there are no more calls before the reply."""
        if not state.waiting:
            return None
        state.shown += 1
        return f"mesh-{state.shown}", state.waiting.pop(0)

    def end(self) -> None:
        self.bridge.ask("end", {})


def parameters_of(tools: list[Any]) -> dict[str, list[str]]:
    """Return the argument names of the benchmark's tools, from their schemas for models."""
    schemas = [tool.openai_schema["function"] for tool in tools]
    return {schema["name"]: sorted(schema["parameters"].get("properties", {})) for schema in schemas}


def agent_class() -> type[Any]:
    """Return the agent class for the benchmark. Imports tau2 here, so that the rest can be tested without it."""
    from tau2.agent.base_agent import HalfDuplexAgent  # noqa: PLC0415
    from tau2.data_model.message import AssistantMessage, ToolCall, ToolMessage  # noqa: PLC0415

    class SwitchboardAgent(HalfDuplexAgent):  # type: ignore[misc]  # not there when types are checked
        """A conversation with the mesh. The runner gets the mesh's calls one by one."""

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
            """Do nothing; the mesh's model has no seed."""

    return SwitchboardAgent


def register(bridge: Bridge) -> None:
    """Register the mesh with the runner as the agent `switchboard`."""
    from tau2.registry import registry  # noqa: PLC0415

    kind = agent_class()

    def create(tools: list[Any], domain_policy: str, **named: Any) -> Any:
        return kind(tools, domain_policy, Player(bridge, str(named["task"].user_scenario), parameters_of(tools)))

    registry.register_agent_factory(create, AGENT)


def run(given: argparse.Namespace) -> None:
    """Run the benchmark against the mesh, one conversation at a time, because each one resets the mesh."""
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
    parser.add_argument("--task", action="append", help="run only this task; can be given several times")
    parser.add_argument("--trials", type=int, default=1, help="conversations for each task")
    parser.add_argument("--save-to", help="the name under which tau2 keeps the results")
    given = parser.parse_args()
    try:
        run(given)
    except ImportError as error:
        sys.stderr.write(f"tau2-bench is not installed for this interpreter ({error}). Check --tau2-python.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
