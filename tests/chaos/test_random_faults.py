"""Customers confirm and interrupt writes while processes are killed and frozen at random: nothing is lost, doubled or
told wrongly, and no session stays locked.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from switchboard.testing import Answer, says, scene
from tests.chaos.random_faults import Faults, PatientCustomer
from tests.chaos.trials import (
    DONE,
    UNSAID,
    Crowd,
    all_states,
    check,
    look_up,
    note_what_was_told,
    open_crowd,
    play,
    until_the_call,
)
from tests.chaos.writes import ROWS, Trial
from tests.gateway.front import Gateway, open_gateway
from tests.laboratory import Laboratory, own_laboratory

__all__ = ["own_laboratory"]

INTERRUPTED_SHARE = 0.4
"""Of the confirmations, those that the customer interrupts."""

CUSTOMERS = 8
"""Customers who write at the same time. More of them only wait for the processor."""

FAULTS, MANY_FAULTS = 8, 50
"""Faults of a normal run, and of each of the LONG_RUNS."""

LONG_RUNS = 5

TRIALS = 400
"""Trials of which the model knows the script. A run uses as many as the customers get through during its faults."""

INTERRUPT_SECONDS = (0.0, 1.5, 0.3)
"""When customers interrupt: earliest, latest and most often after their message."""

CLOSED = 409
"""Status of a yes to a question that is no longer open."""

STOP = "stop"
ARE_YOU_THERE, HERE = "are you there?", "Yes, I am here."


@pytest.fixture(scope="module")
async def gateway(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with open_gateway(laboratory, tmp_path_factory.mktemp("gateway")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def crowd(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    async with open_crowd(gateway.laboratory, tmp_path_factory.mktemp("gates")) as opened:
        yield opened


@dataclass
class Run:
    """Customers who make one trial after another until `over`."""

    crowd: Crowd
    gateway: Gateway
    interrupted_share: float
    seed: str
    count: Counter[str] = field(default_factory=Counter)
    made: list[tuple[Trial, PatientCustomer]] = field(default_factory=list)
    over: bool = False

    def note(self, what: str) -> None:
        self.count[what] += 1

    async def customers_work(self, trials: list[Trial], number: int) -> None:
        draw = random.Random(f"{self.seed}, customer {number}")
        while not self.over:
            trial = trials.pop()
            await self.try_one(trial, draw)

    async def try_one(self, trial: Trial, draw: random.Random) -> None:
        visitor = self.gateway.visitor(trial.customer_id, signed_in=trial.row.signed_in)
        customer = PatientCustomer(visitor, draw, self.note)
        text = await until_the_call(trial, customer)
        message = asyncio.create_task(self.confirm(customer, text, draw))
        if draw.random() < self.interrupted_share:
            self.note("confirmations interrupted")
            await asyncio.sleep(draw.triangular(*INTERRUPT_SECONDS))
            await self.interrupt(customer, draw)
        answer = await message
        if answer.status == CLOSED:
            # The customer's own message came before their yes and dropped the question.
            trial.interrupted, trial.text = True, answer.text
        else:
            await note_what_was_told(trial, customer, answer)
        self.made.append((trial, customer))

    async def confirm(self, customer: PatientCustomer, text: str, draw: random.Random) -> Answer:
        """Send the message after which the call is made: a yes in one of its three forms, or the request itself."""
        self.note("confirmations")
        if text != "yes" or draw.random() < 1 / 3:
            return await customer.says(text)
        status = (await customer.asks("status")).body
        if draw.random() < 1 / 2:
            return await customer.says(text, seen=status["turns_total"])
        return await customer.confirms(status["confirmation"]["held_id"])

    async def interrupt(self, customer: PatientCustomer, draw: random.Random) -> None:
        """Stop the turn: by itself, or with another message."""
        if draw.random() < 1 / 2:
            await customer.asks("interrupt")
        else:
            await customer.says(STOP, interrupt=True)

    async def check_sessions(self) -> None:
        """Check that every session still answers."""
        places = asyncio.Semaphore(CUSTOMERS)

        async def answers(customer: PatientCustomer) -> bool:
            async with places:
                return (await customer.says(ARE_YOU_THERE)).text == HERE

        answered = await asyncio.gather(*(answers(customer) for _, customer in self.made))
        assert all(answered), answered.count(False)


async def run_faults(crowd: Crowd, gateway: Gateway, faults: int, seed: str) -> dict[str, dict[str, int]]:
    """Let customers work during so many faults, and check the invariants. Returns what was counted."""
    draw = random.Random(seed)
    trials = [crowd.trials(draw.choice(ROWS), 1)[0] for _ in range(TRIALS)]
    here = [scene(text, says(HERE)) for text in (STOP, ARE_YOU_THERE)]
    await play(crowd, trials, await look_up(crowd), scene("Yes.", says(UNSAID), says(DONE)), *here)
    services = crowd.laboratory.mesh.services
    names = ("triage", "bank", "airline", "tools")
    chaos = Faults(
        {
            **{name: services[name] for name in names},
            "gateway": gateway.process,
            "restate": crowd.laboratory.mesh.restate,
        },
        draw,
    )
    run = Run(crowd, gateway, INTERRUPTED_SHARE, seed)
    async with asyncio.TaskGroup() as running:
        for number in range(CUSTOMERS):
            running.create_task(run.customers_work(trials, number))
        await chaos.strike(faults)
        run.over = True
    made = [trial for trial, _ in run.made]
    found = await all_states(crowd.laboratory)
    run.count.update(f"interrupted: {trial.interrupted}, told {trial.told}" for trial in made)
    check(found, made)
    lost = [trial for trial in made if not trial.interrupted and trial.told != "done" and trial.text != UNSAID]
    assert lost == []
    await run.check_sessions()
    return {"faults": dict(chaos.struck), "customers": dict(run.count)}


async def test_nothing_is_lost_doubled_or_told_wrongly_under_random_faults(crowd: Crowd, gateway: Gateway) -> None:
    counted = await run_faults(crowd, gateway, FAULTS, "a normal run")
    assert counted["customers"]["confirmations"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("number", range(LONG_RUNS))
async def test_nothing_is_lost_doubled_or_told_wrongly_under_many_random_faults(
    crowd: Crowd, gateway: Gateway, number: int, record_testsuite_property: Callable[[str, object], None]
) -> None:
    counted = await run_faults(crowd, gateway, MANY_FAULTS, f"long run {number}")
    record_testsuite_property(f"random faults, run {number}", counted)
