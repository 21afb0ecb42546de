"""Play cases on a mesh as the customer, each from the initial state."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from evals.caller import CALLER, PlayedCall
from evals.cases.form import ANSWERS_MAX, Call, Case, Turn
from evals.cases.grading import TurnResult, found, wrong_emails, wrong_look, wrong_text, wrong_turn, wrong_writes
from evals.cases.script import scenes
from evals.mesh import EvalMesh, HandlerFailed, open_mesh
from switchboard.builtin.outbox.contract import OUTBOX, Email
from switchboard.cli.outbox import sent_emails
from switchboard.local.process import wait_until
from switchboard.messages import Identity, Message, ToolResult, Usage
from switchboard.session.contract import Transcript
from switchboard.testing import Answer, Customer

AIRLINE_NOW = "2026-05-15T15:00:00-05:00"
"""The airline's clock, stopped so that cases can name dates: the default data set has relative days."""

EMAILS_TIMEOUT = timedelta(seconds=30)

RULES, SCRIPT = "rules", "script"
"""The player of the model's part if there is no model: the demo model by its rules, or with the case's script."""


@dataclass
class Result:
    """The result of a case: the player of the model's part, the problems, and the cost."""

    case: Case
    player: str
    wrong: list[str] = field(default_factory=list)
    replies: int = 0
    tokens: int = 0
    cached: int = 0
    """Of the tokens: those that the provider read from its cache."""

    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.wrong


def mesh_for_cases(model: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[EvalMesh]:
    """Return a mesh with the service that cases need. It uses the demo model if `model` is None."""
    environment = {"SWITCHBOARD_FALLBACK_MODELS": "", "AIRLINE_NOW": AIRLINE_NOW}
    return open_mesh(environment, model, beside={"caller": "evals.caller"})


def player_of(case: Case, model: Mapping[str, str] | None = None) -> str:
    if model is not None:
        return model.get("SWITCHBOARD_MODEL", "model")
    return RULES if case.demo else SCRIPT


async def play_case(mesh: EvalMesh, case: Case, player: str) -> Result:
    """Play one case on a mesh in its initial state. Raises HandlerFailed if a setup call fails."""
    began = time.monotonic()
    result = Result(case, player)
    if player == SCRIPT:
        await mesh.control("PUT", "script", scenes(case))
    elif player == RULES:
        await mesh.control("DELETE", "script")
    for setup in case.setup:
        ok, value = await call(mesh, setup.customer, setup.agent, setup.call)
        if not ok:
            raise HandlerFailed(f"case {case.name}: the setup {setup.call.tool} for {setup.customer} failed: {value}")
    emails_before = len(await emails_of(mesh))
    customer = mesh.customer(case.customer, case.name)
    for turn in case.turns:
        said = await take_turn(mesh, customer, case, turn, result)
        result.wrong += wrong_turn(turn, said)
    transcript = await read_transcript(customer)
    result.wrong += wrong_writes(case, [message for turn in transcript for message in turn])
    for look in case.looks:
        ok, value = await call(mesh, look.customer or case.customer, look.agent, look.call)
        result.wrong += wrong_look(look, ok, value)
    sent = (await emails_of(mesh))[emails_before:]
    result.wrong += wrong_emails(case.emails, [f"To: {mail.to}\n{mail.subject}\n{mail.body}" for mail in sent])
    usage = await usage_of(customer)
    result.tokens, result.cached = usage.input_tokens + usage.output_tokens, usage.cached_tokens
    result.seconds = time.monotonic() - began
    return result


async def emails_of(mesh: EvalMesh) -> list[Email]:
    """Return all sent e-mails. Waits for those that tools have sent to the outbox one-way."""
    admin = mesh.mesh.admin

    async def none_in_flight() -> bool:
        one_way = await admin.query("SELECT entry_lite_json FROM sys_journal WHERE entry_type = 'Command: OneWayCall'")
        calls = [json.loads(row["entry_lite_json"])["Command"]["OneWayCall"] for row in one_way]
        of_outbox = [made for made in calls if made["invocation_target"].get("VirtualObject", {}).get("name") == OUTBOX]
        asked = {made["invocation_id"] for made in of_outbox}
        done = await admin.query(
            f"SELECT id FROM sys_invocation WHERE target_service_name = '{OUTBOX}' AND status = 'completed'"
        )
        return asked <= {row["id"] for row in done}

    await wait_until(none_in_flight, EMAILS_TIMEOUT, "an e-mail in flight was not sent in time")
    return await sent_emails(admin)


async def take_turn(mesh: EvalMesh, customer: Customer, case: Case, turn: Turn, result: Result) -> TurnResult:
    """Send a message, answer the model's questions if the customer knows the answer, and decide on consent."""
    speaker = mesh.customer(turn.customer, case.name) if turn.customer else customer
    before = len(await read_transcript(customer))
    answer = await speaker.says(turn.says)
    for _ in range(ANSWERS_MAX):
        result.replies += 1
        knows = next((one for one in case.knows if found(one.when, answer.text)), None)
        done = answer.status != 200 or answer.body["confirmation"] or not list(wrong_text(turn.reply, answer.text))
        if done or knows is None:
            break
        answer = await speaker.says(knows.says)
    question = ""
    if answer.status == 200 and answer.body["confirmation"]:
        question = answer.text
        if turn.decides:
            handler = "confirm" if turn.decides == "yes" else "decline"
            answer = await speaker.asks(handler, held_id=answer.body["confirmation"]["held_id"])
            result.replies += 1
    if answer.status != 200:
        return TurnResult(answer.text, refused=answer.status, question=question)
    added = (await read_transcript(customer))[before:]
    return TurnResult(
        text=answer.text,
        agent=answer.body["agent"],
        question=question,
        failed=answer.body["failed"],
        messages=[message for one in added for message in one],
        scripted=result.player == SCRIPT,
    )


async def read_transcript(customer: Customer) -> list[Sequence[Message]]:
    """Return the messages of each turn so far."""
    answer: Answer = await customer.asks("transcript", limit=50)
    if answer.status == 404:
        return []
    return [turn.messages for turn in Transcript.model_validate(answer.body).turns]


async def usage_of(customer: Customer) -> Usage:
    status = await customer.asks("status")
    spending: Sequence[Mapping[str, Any]] = status.body.get("spending", ())
    return sum((Usage.model_validate(agent["usage"]) for agent in spending), Usage())


async def call(mesh: EvalMesh, customer_id: str, agent: str, wanted: Call) -> tuple[bool, Any]:
    """Call an agent's tool without a model. Return whether it succeeded, and its JSON or the error message."""
    request = PlayedCall(
        agent=agent,
        identity=Identity(session_id="beside", customer_id=customer_id),
        tool=wanted.tool,
        arguments=json.dumps(wanted.arguments),
    )
    result = ToolResult.model_validate(await mesh.call(f"{CALLER}/call", request.model_dump(mode="json")))
    return result.ok, json.loads(result.content) if result.ok else result.content
