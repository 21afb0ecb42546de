"""Run tau2-bench against our mesh. The mesh's calls are mirrored to its runner, and the final states are compared.

The mesh and an HTTP bridge to it run in this process. The runner starts in another interpreter that has tau2-bench
installed, with the agent of evals/tau2_agent.py. See `python -m evals.tau2 --help` and docs/build/evals.md.
"""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from evals.cases.grading import READS
from evals.mesh import EvalMesh, HandlerFailed, airline_environment, open_mesh
from evals.mirror import Mirrored, differs, means_yes, mirror
from evals.tasks import BadFile, Records, first_difference, read_records
from switchboard.local.process import StartFailed, free_ports
from switchboard.messages import Message
from switchboard.session.contract import SendReply, Transcript
from switchboard.testing import Customer

AGENT_FILE = Path(__file__).with_name("tau2_agent.py")
SESSION = "tau2"
SILENCE = "I am sorry, I have no answer."
"""Replaces an empty reply, which the runner does not accept."""


class NotComparable(Exception):
    """The runner's state and the mesh's differ, so a score would be meaningless; the message says where."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Begin(_Message):
    """The start of a conversation. The scenario names the customer; `tools` holds the benchmark's argument names."""

    scenario: str
    tools: dict[str, frozenset[str]]


class Heard(_Message):
    """A message from the customer."""

    text: str


class Results(_Message):
    """The runner's own results of the calls that it was last shown, in order."""

    contents: tuple[str, ...]


@dataclass
class Conversation:
    """One customer's conversation with a freshly reset mesh, and the calls that the runner was shown."""

    mesh: EvalMesh
    customer: Customer
    tools: dict[str, frozenset[str]]
    held_id: str = ""
    shown: list[Mirrored] = field(default_factory=list)
    reservations: dict[str, Any] = field(default_factory=dict)

    async def hear(self, text: str) -> dict[str, Any]:
        """Send a message to the mesh. Return the reply and the calls that the benchmark knows."""
        reply = await self._send(text)
        self.held_id = reply.confirmation.held_id if reply.confirmation else ""
        self.shown = mirror(await self._messages_of(reply.turn), self.tools, self.customer.customer_id)
        calls = [{"name": call.name, "arguments": call.arguments} for call in self.shown]
        return {"calls": calls, "reply": reply.text.strip() or SILENCE}

    def compare(self, contents: Sequence[str]) -> None:
        """Check the runner's results of all writes. Raises NotComparable."""
        for call, content in zip(self.shown, contents, strict=True):
            if call.name.startswith(READS):
                continue
            if different := differs(call, content):
                raise NotComparable(different)
            record = json.loads(call.content)
            if isinstance(record, dict) and "reservation_id" in record:
                self.reservations[record["reservation_id"]] = record

    async def end(self) -> None:
        """Check that the mesh's records match the results that the runner was shown. Raises NotComparable."""
        kept: Records = (await self.mesh.dump())["reservations"]
        for reservation_id, shown in self.reservations.items():
            if different := first_difference(shown, kept.get(reservation_id), reservation_id):
                raise NotComparable(f"a reservation in the dump differs from the one that was shown: {different}")

    async def _send(self, text: str) -> SendReply:
        """Send a message. A plain yes confirms a held call, because a simulated customer has no button."""
        if self.held_id and means_yes(text):
            answer = await self.customer.asks("confirm", held_id=self.held_id)
        else:
            answer = await self.customer.says(text)
        if answer.status != 200:
            raise HandlerFailed(f"HTTP {answer.status}: {answer.text}")
        return SendReply.model_validate(answer.body)

    async def _messages_of(self, turn: int) -> Sequence[Message]:
        answer = await self.customer.asks("transcript", after=turn - 1, limit=1)
        return [message for one in Transcript.model_validate(answer.body).turns for message in one.messages]


class Bridge:
    """The mesh's HTTP API for the runner's agent: one conversation at a time, each from the initial state.

    `not_comparable` holds the conversations in which the runner's state and the mesh's differed, with the difference.
    """

    def __init__(self, mesh: EvalMesh, users: Records) -> None:
        self.mesh = mesh
        self.users = users
        self.conversation: Conversation | None = None
        self.begun = 0
        self.not_comparable: dict[int, str] = {}

    def application(self) -> web.Application:
        app = web.Application(middlewares=[report_errors])
        app.add_routes(
            [
                web.post("/begin", self.begin),
                web.post("/heard", self.heard),
                web.post("/results", self.results),
                web.post("/end", self.end),
            ]
        )
        return app

    async def begin(self, request: web.Request) -> web.Response:
        begin = Begin.model_validate_json(await request.read())
        customer_id = customer_in(begin.scenario, self.users)
        await self.mesh.reset()
        self.begun += 1
        self.conversation = Conversation(self.mesh, self.mesh.customer(customer_id, SESSION), begin.tools)
        return web.json_response({"customer_id": customer_id})

    async def heard(self, request: web.Request) -> web.Response:
        return web.json_response(await self.open().hear(Heard.model_validate_json(await request.read()).text))

    async def results(self, request: web.Request) -> web.Response:
        try:
            self.open().compare(Results.model_validate_json(await request.read()).contents)
        except NotComparable as error:
            self.not_comparable.setdefault(self.begun, str(error))
            raise
        return web.json_response({})

    async def end(self, request: web.Request) -> web.Response:
        conversation, self.conversation = self.open(), None
        try:
            await conversation.end()
        except NotComparable as error:
            # The runner ignores errors at the end of a conversation, so `run` prints this again.
            self.not_comparable.setdefault(self.begun, str(error))
            raise
        return web.json_response({})

    def open(self) -> Conversation:
        if self.conversation is None:
            raise HandlerFailed("no conversation is open; send /begin first")
        return self.conversation


@web.middleware
async def report_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Return expected errors as one sentence, which the benchmark's runner shows with the failed task."""
    try:
        response: web.StreamResponse = await handler(request)
    except NotComparable as error:
        return web.json_response({"error": f"not comparable: {error}"}, status=409)
    except (BadFile, HandlerFailed, StartFailed, ValidationError) as error:
        return web.json_response({"error": str(error)}, status=500)
    return response


def customer_in(text: str, users: Records) -> str:
    """Return the customer that a task's scenario names. Raises BadFile if it names none."""
    named_users = [word for word in re.findall(r"\w+", text) if word in users]
    if not named_users:
        raise BadFile(f"the task names no customer of the data set: {text[:200]}")
    return str(named_users[0])


async def run(given: argparse.Namespace, runner_arguments: Sequence[str]) -> int:
    """Run the mesh, the bridge and the runner. Return the runner's exit code, or 1 if the score is meaningless."""
    users = read_records(given.data / "users.json")
    model = {"OPENAI_API_KEY": os.environ["OPENAI_API_KEY"], "SWITCHBOARD_MODEL": given.model}
    if given.base_url:
        model["OPENAI_BASE_URL"] = given.base_url
    async with open_mesh(airline_environment(given.data), model, beside={"caller": "evals.caller"}) as mesh:
        [port] = free_ports(1)
        bridge = Bridge(mesh, users)
        server = web.AppRunner(bridge.application())
        await server.setup()
        try:
            await web.TCPSite(server, "127.0.0.1", port).start()
            # -P keeps this folder out of the module path, because its names would shadow the benchmark's.
            command = [str(given.tau2_python), "-P", str(AGENT_FILE), f"http://127.0.0.1:{port}", *runner_arguments]
            runner = await asyncio.create_subprocess_exec(*command)
            status = await runner.wait()
        finally:
            await server.cleanup()
    for number, why in bridge.not_comparable.items():
        print(f"conversation {number}: {why}")
    print(f"{bridge.begun} conversations, {len(bridge.not_comparable)} of them not comparable with the benchmark")
    return status or int(bool(bridge.not_comparable))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evals.tau2",
        description=__doc__,
        epilog="All other arguments go to the runner: --user-model, --split, --task, --trials, --save-to.",
    )
    parser.add_argument("--model", required=True, help="the agents' model; its key is read from OPENAI_API_KEY")
    parser.add_argument("--base-url", help="the model's endpoint (default: OpenAI's)")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark's data set")
    parser.add_argument("--tau2-python", type=Path, required=True, help="a Python that has tau2-bench installed")
    given, runner_arguments = parser.parse_known_args(argv)
    if not os.environ.get("OPENAI_API_KEY"):
        sys.stderr.write("Set OPENAI_API_KEY to the key of the model's endpoint.\n")
        return 2
    try:
        return asyncio.run(run(given, runner_arguments))
    except (BadFile, StartFailed, HandlerFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
