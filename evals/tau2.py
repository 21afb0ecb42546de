"""Lets tau2-bench's own runner talk to our mesh: text in, text out, the calls mirrored, the state checked by a dump.

Run it with an interpreter that has both tau2-bench and this project: `python -m evals.tau2 --help`, docs/evals.md.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cli.process import StartFailed
from evals.mesh import EvalMesh, HandlerFailed, airline_environment, open_mesh
from evals.mirror import Mirrored, Parameters, differs, means_yes, mirror
from evals.tasks import KINDS, BadFile, Records, first_difference, read_records
from services.triage.contract import Transcript
from switchboard.messages import Message
from switchboard.testing import Answer, Customer

AGENT = "switchboard"
DOMAIN = "airline"
SILENCE = "I am sorry, I have no answer."
"""In place of an empty reply, which the runner does not take."""

READS = ("get_", "search_", "list_", "calculate")
Result = TypeVar("Result")


class NotComparable(Exception):
    """The runner's world and the mesh's are not the same: a score would mean nothing. Says where."""


@dataclass(frozen=True)
class Spoken:
    """The mesh's reply, and all that the message led to."""

    text: str
    messages: Sequence[Message]


@dataclass
class Talk:
    """One conversation of one customer with a mesh that remembers nothing else."""

    mesh: EvalMesh
    customer: Customer
    held_id: str = ""

    async def say(self, text: str) -> Spoken:
        """A message and its reply. A simulated customer has no button: their plain yes presses it."""
        held, self.held_id = self.held_id, ""
        if held and means_yes(text):
            answer = await self.customer.asks("confirm", held_id=held)
        else:
            answer = await self.customer.says(text)
        if answer.status != 200:
            raise HandlerFailed(f"HTTP {answer.status}: {answer.text}")
        if answer.body["confirmation"]:
            self.held_id = answer.body["confirmation"]["held_id"]
        return Spoken(answer.text, await self._messages_of(answer.body["turn"]))

    async def _messages_of(self, turn: int) -> Sequence[Message]:
        answer: Answer = await self.customer.asks("transcript", after=turn - 1, limit=1)
        return [message for one in Transcript.model_validate(answer.body).turns for message in one.messages]


class MeshThread:
    """A mesh on an event loop of its own: the runner is synchronous, and calls from threads of its own."""

    def __init__(self, data: Path, model: Mapping[str, str] | None) -> None:
        self._data = data
        self._model = model
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self.users = read_records(data / "users.json")

    def __enter__(self) -> "MeshThread":
        self._thread.start()
        try:
            self._mesh = self.run(
                self._stack.enter_async_context(open_mesh(airline_environment(self._data), self._model))
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def begin(self, customer_id: str) -> Talk:
        """A conversation on a mesh that has forgotten the ones before it."""
        self.run(self._mesh.forget())
        return Talk(self._mesh, self._mesh.customer(customer_id, "tau2"))

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return self.run(self._mesh.control(method, path, body))

    def records(self) -> Mapping[str, Records]:
        """The airline's records as they stand."""
        records: Mapping[str, Records] = self.run(self._mesh.dump())
        return records


@dataclass
class State:
    """Where a conversation is: calls that the runner has not been shown yet, and the reply that comes after them."""

    talk: Talk
    waiting: list[Mirrored] = field(default_factory=list)
    shown: Mirrored | None = None
    reply: str = ""
    reservations: dict[str, Any] = field(default_factory=dict)


class Bridge:
    """What the runner's agent does, in plain values: the class that it wants is a thin coat, see `agent_class`."""

    def __init__(self, mesh: MeshThread, known: Parameters, customer_id: str) -> None:
        self.mesh = mesh
        self.known = known
        self.customer_id = customer_id

    def begin(self) -> State:
        return State(self.mesh.begin(self.customer_id))

    def heard(self, state: State, text: str) -> None:
        """The customer has written: let the mesh answer."""
        spoken = self.mesh.run(state.talk.say(text))
        state.waiting = mirror(spoken.messages, self.known, self.customer_id)
        state.reply = spoken.text.strip() or SILENCE

    def answered(self, state: State, content: str) -> None:
        """The runner has made the call that it was shown. Raises NotComparable when it came to something else."""
        assert state.shown is not None, "a result without a call"
        if not state.shown.name.startswith(READS):
            if different := differs(state.shown, content):
                raise NotComparable(different)
            record = json.loads(state.shown.content)
            if isinstance(record, dict) and "reservation_id" in record:
                state.reservations[record["reservation_id"]] = record
        state.shown = None

    def next_call(self, state: State) -> Mirrored | None:
        """The call that the runner is to make next; None when it is the reply's turn."""
        state.shown = state.waiting.pop(0) if state.waiting else None
        return state.shown

    def end(self, state: State) -> None:
        """Compare what the runner was shown with the mesh's records. Raises NotComparable."""
        records = self.mesh.records()
        for reservation_id, shown in state.reservations.items():
            different = first_difference(shown, records["reservations"].get(reservation_id), reservation_id)
            if different:
                raise NotComparable(f"the dump has another reservation than was shown: {different}")


def customer_in(text: str, users: Records) -> str:
    """The customer whom a task's scenario names. Raises BadFile when it names none."""
    told = [word for word in re.findall(r"\w+", text) if word in users]
    if not told:
        raise BadFile(f"no customer of the data set is named in the task: {text[:200]}")
    return str(told[0])


def parameters_of(tools: Sequence[Any]) -> Parameters:
    """The arguments of the benchmark's tools, from the schemas that they give for models."""
    schemas = [tool.openai_schema["function"] for tool in tools]
    return {schema["name"]: frozenset(schema["parameters"].get("properties", {})) for schema in schemas}


def agent_class() -> type[Any]:
    """The agent as tau2-bench wants it. Imported here: the benchmark is no dependency of this project."""
    from tau2.agent.base_agent import HalfDuplexAgent  # noqa: PLC0415
    from tau2.data_model.message import AssistantMessage, ToolCall, ToolMessage  # noqa: PLC0415

    class SwitchboardAgent(HalfDuplexAgent):  # type: ignore[misc]  # not there when types are checked
        """A conversation with the mesh. What the mesh did is shown to the runner as calls, one by one."""

        def __init__(self, tools: list[Any], domain_policy: str, bridge: Bridge) -> None:
            super().__init__(tools=tools, domain_policy=domain_policy)
            self.bridge = bridge

        def get_init_state(self, message_history: list[Any] | None = None) -> State:
            return self.bridge.begin()

        def generate_next_message(self, message: Any, state: State) -> tuple[Any, State]:
            if isinstance(message, ToolMessage):
                self.bridge.answered(state, message.content)
            else:
                self.bridge.heard(state, message.content)
            call = self.bridge.next_call(state)
            if call is None:
                return AssistantMessage(role="assistant", content=state.reply), state
            made = ToolCall(id=f"mesh-{len(state.waiting)}", name=call.name, arguments=dict(call.arguments))
            return AssistantMessage(role="assistant", content=None, tool_calls=[made]), state

        def stop(self, message: Any = None, state: State | None = None) -> None:
            if state is not None:
                self.bridge.end(state)

        def set_seed(self, seed: int) -> None:
            """The mesh's model has none."""

    return SwitchboardAgent


def register(mesh: MeshThread) -> None:
    """Make the mesh known to the runner as the agent `switchboard`."""
    from tau2.registry import registry  # noqa: PLC0415

    kind = agent_class()

    def create(tools: list[Any], domain_policy: str, **named: Any) -> Any:
        customer_id = customer_in(str(named["task"].user_scenario), mesh.users)
        return kind(tools, domain_policy, Bridge(mesh, parameters_of(tools), customer_id))

    registry.register_agent_factory(create, AGENT)


@contextmanager
def data_folder(given: Path | None) -> Iterator[Path]:
    """The data set: the one given, or the benchmark's own file in three parts."""
    if given is not None:
        yield given
        return
    from tau2.domains.airline.utils import AIRLINE_DB_PATH  # noqa: PLC0415

    records = read_records(Path(AIRLINE_DB_PATH))
    with tempfile.TemporaryDirectory(prefix="switchboard-tau2-") as folder:
        for kind in KINDS:
            (Path(folder) / f"{kind}.json").write_text(json.dumps(records[kind]))
        yield Path(folder)


def run(given: argparse.Namespace) -> None:
    """Start a mesh, and let the benchmark's runner have its conversations with it, one after the other."""
    from tau2.data_model.simulation import TextRunConfig  # noqa: PLC0415
    from tau2.run import run_domain  # noqa: PLC0415

    # One at a time: every conversation begins with the data set as it is.
    config = TextRunConfig(
        domain=DOMAIN,
        agent=AGENT,
        llm_agent=given.model,
        llm_user=given.user_model,
        task_split_name=given.split,
        task_ids=given.task or None,
        num_trials=given.trials,
        max_concurrency=1,
        save_to=given.save_to,
    )
    model = {"OPENAI_API_KEY": os.environ["OPENAI_API_KEY"], "SWITCHBOARD_MODEL": given.model}
    if given.base_url:
        model["OPENAI_BASE_URL"] = given.base_url
    with data_folder(given.data) as data, MeshThread(data, model) as mesh:
        register(mesh)
        run_domain(config)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.tau2", description=__doc__)
    parser.add_argument("--model", required=True, help="the model behind our agents")
    parser.add_argument("--base-url", help="its endpoint; OpenAI's own without it")
    parser.add_argument("--user-model", required=True, help="the model that plays the customer, as tau2 names it")
    parser.add_argument("--data", type=Path, help="a data set in three files; the benchmark's own without it")
    parser.add_argument("--split", default="test", help="the benchmark's split of tasks (default: test)")
    parser.add_argument("--task", action="append", help="only this task; may be given several times")
    parser.add_argument("--trials", type=int, default=1, help="conversations for each task")
    parser.add_argument("--save-to", help="the name under which tau2 keeps the results")
    given = parser.parse_args(argv)
    if not os.environ.get("OPENAI_API_KEY"):
        sys.stderr.write("Set OPENAI_API_KEY to the key of the model's endpoint.\n")
        return 2
    try:
        run(given)
    except ImportError as error:
        sys.stderr.write(f"tau2-bench is not in this environment ({error}); docs/evals.md says how to get it.\n")
        return 2
    except (BadFile, StartFailed, HandlerFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
