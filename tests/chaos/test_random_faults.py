"""Customers confirm and interrupt writes while processes are killed and frozen at random: nothing is lost, doubled or
told wrongly, and no session stays locked.
"""

import asyncio
import datetime as dt
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest

from switchboard.client import AsyncClient
from switchboard.session.staffed import STAFF_WILL_ANSWER
from switchboard.session.turn_events import events_of_record
from switchboard.testing import Answer, says, scene
from tests.chaos.random_faults import ATTEMPTS_MAX, REPEAT_SECONDS, Faults, PatientCustomer, is_refused_for_now
from tests.chaos.sessions import check_model_calls, check_repeats, check_turns
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
from tests.gateway.front import Gateway, Visitor, open_gateway
from tests.gateway.viewers import Watcher, watching
from tests.laboratory import Laboratory, own_laboratory
from tests.lines import Line, open_lines

__all__ = ["own_laboratory"]

INTERRUPTED_SHARE = 0.4
"""Of the confirmations, those that the customer interrupts."""

CUSTOMERS = 8
"""Customers who write at the same time. More of them only wait for the processor."""

FAULTS, MANY_FAULTS = 8, 60
"""Faults of a normal run, and of each of the LONG_RUNS."""

LONG_RUNS = int(os.environ.get("CHAOS_RUNS", "4"))

SEED = os.environ.get("CHAOS_SEED", dt.datetime.now(dt.UTC).date().isoformat())
"""Of the long runs: another one every day. The names of the tests contain it."""

TRIALS = 400
"""Trials of which the model knows the script. A run uses as many as the customers get through during its faults."""

INTERRUPT_SECONDS = (0.0, 1.5, 0.3)
"""When customers interrupt: earliest, latest and most often after their message."""

OK = 200

CLOSED = 409
"""Status of a yes to a question that is no longer open."""

WATCHED_SHARE = 0.25
"""Of the trials, those that a viewer at the gateway watches."""

STAFFED_SHARE = 0.15
"""Of the trials, those after which a staff member takes the session over and hands it back."""

NOT_TAKEN = 409
"""Status of a hand-back that was done before."""

STOP, TO_STAFF = "stop", "a question for your staff"
ARE_YOU_THERE, HERE = "are you there?", "Yes, I am here."


SERVICES = ("triage", "bank", "airline", "tools")
RESTATE = "Restate"

IGNORING_FULL_DISKS = ("/bin/sh", "-c", 'trap \'\' XFSZ; exec "$0" "$@"')
"""A process whose file reaches a limit of its size gets an error, as on a full disk, instead of a signal."""


@pytest.fixture(scope="module")
async def lines(laboratory: Laboratory) -> AsyncIterator[dict[str, Line]]:
    """Lines from Restate to the services, and from the gateway to Restate."""
    mesh = laboratory.mesh
    usual = mesh.restate.command
    await mesh.restate.stop()
    mesh.restate.command = [*IGNORING_FULL_DISKS, *usual]
    await mesh.restate.start()
    targets = {name: mesh.addresses.services[name] for name in SERVICES}
    async with open_lines({**targets, RESTATE: mesh.addresses.restate.ingress}) as opened:
        for name in SERVICES:
            await mesh.register(opened[name].url)
        yield opened
        for name in SERVICES:
            await mesh.register(mesh.addresses.service_url(name))
    mesh.restate.command = usual


@pytest.fixture(scope="module")
async def gateway(
    laboratory: Laboratory, lines: dict[str, Line], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    through = {"RESTATE_INGRESS_URL": lines[RESTATE].url}
    async with open_gateway(laboratory, tmp_path_factory.mktemp("gateway"), through) as opened:
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
    watched: list[tuple[Watcher, Visitor]] = field(default_factory=list)
    viewers: AsyncExitStack = field(default_factory=AsyncExitStack)
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
        if trial.row.signed_in and draw.random() < WATCHED_SHARE:
            self.note("viewers")
            self.watched.append((await self.viewers.enter_async_context(watching(visitor)), visitor))
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
        if draw.random() < STAFFED_SHARE:
            self.note("take-overs")
            await self.staff_steps_in(customer)

    async def staff_steps_in(self, customer: PatientCustomer) -> None:
        """Take the session over, let the customer write, and hand it back."""
        session = customer.visitor.session
        assert (await self.staff_asks("take_over", session)).status == OK
        assert (await customer.says(TO_STAFF)).text == STAFF_WILL_ANSWER
        assert (await self.staff_asks("hand_back", session)).status in (OK, NOT_TAKEN)

    async def staff_asks(self, handler: str, session: str) -> Answer:
        """Repeat a staff member's request until it is answered. Both handlers do nothing a second time."""
        mia = self.crowd.laboratory.staff()
        last: object = None
        for _ in range(ATTEMPTS_MAX):
            try:
                answer = await mia.asks(handler, session_id=session)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                last = error
            else:
                if not is_refused_for_now(answer):
                    return answer
                last = answer
            await asyncio.sleep(REPEAT_SECONDS)
        raise AssertionError(f"{handler} was not answered; last: {last!r}")

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
        """Check that every session still answers, and what tests/chaos/sessions.py checks in each."""
        places = asyncio.Semaphore(CUSTOMERS)

        async def check_one(customer: PatientCustomer) -> None:
            async with places:
                assert (await customer.says(ARE_YOU_THERE)).text == HERE
                await check_turns(customer)
                sent_again = await check_repeats(customer)
                self.count["requests sent again at the end"] += sent_again
                asked = await self.crowd.laboratory.model.requests(customer.visitor.session)
                self.count["model calls"] += len(asked)
                check_model_calls(asked)

        async with asyncio.TaskGroup() as checks:
            for _, customer in self.made:
                checks.create_task(check_one(customer))


async def check_viewer(watcher: Watcher, visitor: Visitor) -> None:
    """Check that a viewer has seen every event of its session once and in order, and the replies as committed."""
    async with AsyncClient(visitor.url, lambda: visitor.token) as client:
        records = await client.turns(visitor.session)
    with suppress(TimeoutError):
        await watcher.until(lambda each: len(each.replies()) == len(records))
    assert watcher.replies() == {record.turn: record.reply for record in records}
    expected = [event.id for record in records for event in events_of_record(record, None)]
    assert [event.id for event in watcher.seen] == expected


DRAWN: dict[str, Counter[str]] = {}
"""The faults that each seed has drawn: they have to be the same on both meshes."""

Report = dict[str, Counter[str]]
"""What a run counted: of its `faults` and of its `customers`."""


async def run_faults(
    crowd: Crowd, gateway: Gateway, lines: dict[str, Line], faults: int, seed: str, report: Report
) -> None:
    """Let customers work during so many faults, and check the invariants. `report` is also filled if one is broken."""
    draw = random.Random(seed)
    trials = [crowd.trials(draw.choice(ROWS), 1)[0] for _ in range(TRIALS)]
    here = [scene(text, says(HERE)) for text in (STOP, ARE_YOU_THERE)]
    await play(crowd, trials, await look_up(crowd), scene("Yes.", says(UNSAID), says(DONE)), *here)
    services = crowd.laboratory.mesh.services
    processes = {**{name: services[name] for name in SERVICES}, "gateway": gateway.process}
    processes["restate"] = crowd.laboratory.mesh.restate
    chaos = Faults(processes, lines, crowd.laboratory.model, seed)
    run = Run(crowd, gateway, INTERRUPTED_SHARE, seed)
    report |= {"faults": chaos.struck, "customers": run.count}
    async with run.viewers:
        async with asyncio.TaskGroup() as running:
            for number in range(CUSTOMERS):
                running.create_task(run.customers_work(trials, number))
            await chaos.strike(faults)
            run.over = True
        assert DRAWN.setdefault(seed, chaos.struck) == chaos.struck
        made = [trial for trial, _ in run.made]
        found = await all_states(crowd.laboratory)
        run.count.update(f"interrupted: {trial.interrupted}, told {trial.told}" for trial in made)
        check(found, made)
        lost = [trial for trial in made if not trial.interrupted and trial.told != "done" and trial.text != UNSAID]
        assert lost == []
        await run.check_sessions()
        for watcher, visitor in run.watched:
            await check_viewer(watcher, visitor)


async def test_nothing_is_lost_doubled_or_told_wrongly_under_random_faults(
    crowd: Crowd, gateway: Gateway, lines: dict[str, Line]
) -> None:
    report: Report = {}
    await run_faults(crowd, gateway, lines, FAULTS, "a normal run", report)
    assert report["customers"]["confirmations"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("number", range(LONG_RUNS))
async def test_nothing_is_lost_doubled_or_told_wrongly_under_many_random_faults(
    crowd: Crowd,
    gateway: Gateway,
    lines: dict[str, Line],
    number: int,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    report: Report = {}
    try:
        await run_faults(crowd, gateway, lines, MANY_FAULTS, f"{SEED}, run {number}", report)
    finally:
        counted = {what: dict(counts) for what, counts in report.items()}
        mesh = "always replaying" if crowd.laboratory.replays else "as it is"
        record_testsuite_property(f"random faults, run {number}, {mesh}", counted)
