"""Makes the calls of tests/chaos/writes.py, interrupts them, and compares what customers are told with the state.

Each trial is one call of one customer in a session of its own.
"""

import asyncio
import itertools
import json
import random
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard.local.process import Process
from switchboard.session.state import OUTCOME_UNKNOWN
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.chaos.crowd import SIZES
from tests.chaos.writes import ROWS, STATEFUL, Row, States, Told, Trial, leftovers
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import states

WRITES = {tool.name: tool for agent in (bank, airline, triage) for tool in agent.tools if not tool.read_only}

PHRASES: dict[Told, str] = {
    "done": "Done: {label}.",
    "not done": "Not done: {label}.",
    "unknown": "I don't know whether this was done: {label}.",
}

DONE = "it is done"
UNSAID = "never said"
"""The model's reply to a yes that did not count. Otherwise the confirmed call takes the place of this step."""


class Talks(Protocol):
    """A customer in one session."""

    async def says(self, text: str) -> Answer: ...

    async def asks(self, handler: str, **request: Any) -> Answer: ...


YES = scene("yes", says(UNSAID), says(DONE))


@dataclass
class Crowd:
    """The mesh with the tools for many customers, each of whom is used once."""

    laboratory: Laboratory
    tools: Process
    gates: Path
    numbers: dict[str, Iterator[int]] = field(default_factory=dict)

    def trials(self, row: Row, count: int) -> list[Trial]:
        numbers = self.numbers.setdefault(row.owner, itertools.count())
        made = [Trial(row, next(numbers)) for _ in range(count)]
        size = SIZES.get(row.owner)
        assert size is None or made[-1].number < size, f"there are only {size} copies of {row.owner}: raise SIZES"
        return made

    def customer(self, trial: Trial) -> Customer:
        return self.laboratory.customer(trial.customer_id, signed_in=trial.row.signed_in)


@asynccontextmanager
async def open_crowd(laboratory: Laboratory, gates: Path) -> AsyncIterator[Crowd]:
    """Run the mesh's tools for the crowd until the end of the block."""
    tools = laboratory.mesh.services["tools"]
    command, environment = tools.command, tools.environment
    await tools.stop()
    tools.command = [sys.executable, "-m", "tests.chaos.crowd_tools"]
    tools.environment = {**environment, "GATES": str(gates)}
    await tools.start()
    yield Crowd(laboratory, tools, gates)
    await tools.stop()
    tools.command, tools.environment = command, environment
    await tools.start()


async def look_up(crowd: Crowd) -> JSON:
    """Return the arguments that dispute a payment. They are the same for all copies of a customer."""
    (carol,) = crowd.trials(next(row for row in ROWS if row.owner == "carol"), 1)
    payments = ("list_transactions", {"limit": 50})
    await crowd.laboratory.model.plays(scene("payments", to_agent("Bank"), calls(payments), says(DONE)))
    paid = (await result_of(crowd.customer(carol), "payments"))["transactions"]
    payment = next(one for one in paid if one["merchant"] == "Fresh Basket")
    amount = str(payment["amount"]).removeprefix("-")
    return {"transaction_id": payment["transaction_id"], "amount": amount, "currency": "EUR", "reason": "not_mine"}


async def result_of(customer: Customer, text: str) -> JSON:
    await customer.says(text)
    result = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    assert result["ok"], result
    read: JSON = json.loads(result["content"])
    return read


def to_agent(name: str) -> JSON:
    return calls((f"handoff_to_{name}", {"reason": "a test"}))


def scenes(trial: Trial, dispute: JSON) -> list[JSON]:
    """Return the model's part in a trial: hand over and prepare the call, then make it."""
    row = trial.row
    first = [calls(row.before)] if row.before else []
    return [
        scene(f"first {trial.customer_id}", to_agent(row.agent), *first, says(DONE)),
        scene(f"now {trial.customer_id}", calls((row.tool, row.call(trial, dispute))), says(DONE)),
    ]


async def play(crowd: Crowd, trials: Sequence[Trial], dispute: JSON, *more: JSON) -> None:
    """Write the script of all trials, with `more` scenes."""
    await crowd.laboratory.model.plays(YES, *more, *(one for trial in trials for one in scenes(trial, dispute)))


async def until_the_call(trial: Trial, customer: Talks) -> str:
    """Prepare the call. Returns the message after which it is made."""
    answer = await customer.says(f"first {trial.customer_id}")
    if answer.body["confirmation"]:
        answer = await customer.says("yes")
    assert answer.text == DONE, answer
    if WRITES[trial.row.tool].consent is None:
        return f"now {trial.customer_id}"
    asked = await customer.says(f"now {trial.customer_id}")
    assert asked.body["confirmation"], asked
    return "yes"


async def make_call(crowd: Crowd, trial: Trial, delay_seconds: float | None) -> float:
    """Make the call, and interrupt it after the delay. Returns how long the message took."""
    loop = asyncio.get_running_loop()
    customer = crowd.customer(trial)
    text = await until_the_call(trial, customer)
    began = loop.time()
    message = asyncio.create_task(customer.says(text))
    # The interrupt may come long after the reply.
    ended = loop.create_future()
    message.add_done_callback(lambda _: ended.set_result(loop.time()))
    if delay_seconds is not None:
        await asyncio.sleep(delay_seconds)
        await customer.asks("interrupt")
    await note_what_was_told(trial, customer, await message)
    return float(await ended) - began


async def note_what_was_told(trial: Trial, customer: Talks, answer: Answer) -> None:
    """Read what the customer was told from the transcript, and check that the reply says the same."""
    results = await results_of_calls(customer, answer.body["turn"], trial.row.tool)
    trial.text, trial.interrupted = answer.text, bool(answer.body["interrupted"])
    if results:
        trial.told = results[-1]
        expected = PHRASES[trial.told].format(label=WRITES[trial.row.tool].spoken_label)
    else:
        # The agent may not have reported what it did.
        trial.told = "unknown" if OUTCOME_UNKNOWN in answer.text else "not done"
        expected = OUTCOME_UNKNOWN if trial.told == "unknown" else "No changes were made."
    if trial.interrupted:
        assert expected in answer.text, (trial, results)


async def results_of_calls(customer: Talks, number: int, tool: str) -> list[Told]:
    """Return the outcomes of a tool's calls in one turn."""
    turns = (await customer.asks("transcript", limit=50)).body["turns"]
    messages = next(turn["messages"] for turn in turns if turn["turn"] == number)
    made = {
        call["call_id"] for one in messages if one["kind"] == "model" for call in one["calls"] if call["tool"] == tool
    }
    return [outcome_of(one) for one in messages if one["kind"] == "tool" and one["call_id"] in made]


def outcome_of(result: JSON) -> Told:
    if result.get("outcome") == "unknown":
        return "unknown"
    return "done" if result["ok"] else "not done"


async def interrupt_at_random(crowd: Crowd, trials: Sequence[Trial], count: int, draw: random.Random) -> list[Trial]:
    """Make the calls of one row one after another: the first undisturbed, the others interrupted.

    Ends after so many interrupts that stopped a turn. Others came after the reply. Returns the trials that were made.
    """
    made: list[Trial] = []
    usual = 0.0
    for trial in trials:
        # Twice as often in the second half, where the writes are.
        delay = draw.triangular(0, usual, 0.75 * usual) if made else None
        took = await make_call(crowd, trial, delay)
        made.append(trial)
        if not trial.interrupted:
            usual = (usual + took) / 2 if usual else took
        if sum(one.interrupted for one in made) >= count:
            break
    return made


async def all_states(laboratory: Laboratory) -> States:
    """Return the state of all objects when nothing runs any more, apart from timers and what waits for staff."""
    sql = (
        "SELECT count(*) AS busy FROM sys_invocation WHERE status NOT IN ('completed', 'scheduled')"
        " AND target_service_name NOT IN ('LoanApplication', 'DisputeCase')"
    )

    async def nothing_runs() -> bool:
        return not (await laboratory.query(sql))[0]["busy"]

    await laboratory.until(nothing_runs)
    return {service: await states(laboratory, service) for service in STATEFUL}


def check(found: States, trials: Sequence[Trial]) -> None:
    """Check that what each customer was told is what was done, and that nothing was left behind."""
    assert leftovers(found) == []
    for trial in trials:
        trial.made = trial.row.stands(found, trial)
    lies = [
        (trial.row.title, trial.customer_id, trial.text, f"made: {trial.made}")
        for trial in trials
        if trial.told not in ("unknown", "done" if trial.made else "not done")
    ]
    assert lies == []
