"""Runs of generated conversations: many of them at the same time, each run repeatable by its seed."""

import asyncio
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.chaos.crowd import FLIGHT_DAYS, reservation_id
from tests.chaos.writes import leftovers
from tests.generated import model_of_airline, model_of_bank
from tests.generated.customer import Models, Names, Talk
from tests.generated.generate import PARTS_MAX, conversations, named_day
from tests.generated.memory_mesh import MemoryMesh
from tests.generated.memory_restate import InThisThread
from tests.generated.outcomes import Mismatch, expect
from tests.generated.play import Play
from tests.generated.script import Asks, Conversation, as_test
from tests.generated.stage import Stage, look_up_payments
from tests.generated.stored import check_state, stored_states
from tests.mesh.booking_desk import days_from_today

DAYS_FROM = 10
"""Erin's copies fly from so many days ahead; see tests/chaos/crowd.py."""

SEATS = {"basic_economy": 12, "economy": 60, "business": 14}
"""Free seats of her flight on each day."""

PHASES = (Phase.generate, Phase.shrink)

AT_ONCE = 20
"""Conversations that are played at the same time. One that is empty is not played, so a failure shrinks to one."""


async def play_generated(
    stage: Stage, count: int, number: int, parts_max: int = PARTS_MAX, kills: bool = False
) -> None:
    """Play so many conversations on a real mesh, at least. The run's `number` is its seed.

    Raises Mismatch with the shortest script that was found: a failing run is repeated with fewer and simpler steps.
    """
    loop, before, failed = asyncio.get_running_loop(), stage.played, False

    # Half of the batches may be short, and the first is empty: it is the simplest.
    @generated(2 + 2 * count // AT_ONCE)
    @seed(number)
    @given(st.lists(conversations(parts_max, kills), min_size=AT_ONCE, max_size=AT_ONCE))
    def run(batch: Sequence[Conversation]) -> None:
        nonlocal failed
        if failed or stage.played - before < count:
            try:
                asyncio.run_coroutine_threadsafe(play(stage, batch), loop).result()
            except Mismatch:
                failed = True
                raise

    await asyncio.to_thread(run)
    assert stage.played - before >= count


@dataclass
class MemoryRun:
    """Conversations that are played one after the other in memory. `failed` is the latest that went wrong."""

    runner: asyncio.Runner
    mesh: MemoryMesh
    stage: Stage
    found_after: int = 0
    failed: Conversation | None = None

    @classmethod
    def begin(cls, runner: asyncio.Runner) -> "MemoryRun":
        runner.get_loop().set_default_executor(InThisThread())
        mesh = MemoryMesh.open()
        run = cls(runner, mesh, Stage(mesh))
        runner.run(look_up_payments(run.stage))
        return run

    def play(self, conversation: Conversation) -> None:
        """Play a conversation, which has the mesh for itself. Raises Mismatch."""
        self.mesh.restate.forget()
        self.stage.numbers.clear()
        self.stage.seats.clear()
        try:
            self.runner.run(play(self.stage, [conversation]))
        except Mismatch:
            self.found_after = self.found_after or self.stage.played
            self.failed = conversation
            raise

    def shortest(self, wrong: Mismatch) -> Mismatch:
        """Leave out one step or call after the other, as long as the conversation still goes wrong."""
        tried = True
        while tried:
            tried = False
            for shorter in without_one(self.failed) if self.failed else ():
                try:
                    self.play(shorter)
                except Mismatch as still:
                    wrong, tried = still, True
                    break
        return wrong


def without_one(conversation: Conversation) -> Iterator[Conversation]:
    """Yield the conversation without each of its steps, and without each call of those that make several."""
    steps = conversation.steps
    for number, step in enumerate(steps):
        before, after = steps[:number], steps[number + 1 :]
        yield Conversation(conversation.owner, before + after)
        if isinstance(step, Asks) and len(step.calls) > 1:
            for one in range(len(step.calls)):
                fewer = replace(step, calls=step.calls[:one] + step.calls[one + 1 :])
                yield Conversation(conversation.owner, (*before, fewer, *after))


def play_in_memory(
    count: int, number: int, parts_max: int = PARTS_MAX, phases: Sequence[Phase] = PHASES
) -> dict[str, int]:
    """Play so many conversations in this process, and return what was counted. The run's `number` is its seed.

    Raises Mismatch with the shortest script that was found. Its `found_after` is the number of conversations until the
    first that went wrong.
    """
    with asyncio.Runner() as runner:
        memory = MemoryRun.begin(runner)

        @generated(count, phases)
        @seed(number)
        @given(conversations(parts_max))
        def run(conversation: Conversation) -> None:
            memory.play(conversation)

        try:
            run()
        except Mismatch as wrong:
            # Hypothesis gives up when a conversation cannot be shortened by its own rules.
            shortest = memory.shortest(wrong) if Phase.shrink in phases else wrong
            shortest.found_after = memory.found_after
            raise shortest from None
        return memory.stage.counted()


def generated(examples_max: int, phases: Sequence[Phase] = PHASES) -> settings:
    """Return hypothesis's settings for a run."""
    return settings(
        max_examples=examples_max,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


async def play(stage: Stage, conversations: Sequence[Conversation]) -> None:
    """Play conversations at the same time. Raises Mismatch with the script of those that went wrong.

    They are played again if the day has changed meanwhile, because limits of a day and dates change with it.
    """
    while True:
        day = named_day(0)
        wrong = await play_once(stage, [one for one in conversations if one.steps])
        if named_day(0) == day:
            break
    if wrong:
        script = as_test([one.conversation for one in wrong])
        raise Mismatch("\n".join(str(one.error) for one in wrong) + f"\n\n{script}")


async def play_once(stage: Stage, conversations: Sequence[Conversation]) -> list[Play]:
    """Play the conversations with new customers. Returns the plays that differ from the models."""
    plays = [new_play(stage, conversation) for conversation in conversations]
    results = await asyncio.gather(*(one.run() for one in plays), return_exceptions=True)
    for one, error in zip(plays, results, strict=True):
        if isinstance(error, AssertionError):
            one.error = error
        elif error is not None:
            raise error
    stage.played += len(plays)
    return [one for one in plays if one.error] or await compare_states(stage, plays)


def new_play(stage: Stage, conversation: Conversation) -> Play:
    owner = conversation.owner
    number = stage.next_number(owner)
    customer_id, payee = f"{owner}-{number}", f"bob-{owner}-{number}"
    names = Names(customer=customer_id, payee=payee)
    names |= {"in60days": named_day(60), "in2days": named_day(2), "yesterday": named_day(-1)}
    names |= {name: key for name, (key, _) in stage.payments.items()}
    payments = dict(stage.payments.values()) if owner == "carol" else {}
    bank = model_of_bank.CUSTOMERS[owner](customer_id, payees={payee: "Bob Brandt"}, payments=payments)
    names |= {f"card{position}": card for position, card in enumerate(bank.cards)}
    airline = None
    if owner == "erin":
        own_id = reservation_id(owner, number)
        days = [days_from_today(DAYS_FROM + number % FLIGHT_DAYS + later).isoformat() for later in (0, 1)]
        names |= {"reservation0": own_id, "day0": days[0], "day1": days[1]}
        seats = {day: copy.deepcopy(stage.seats.get(day, SEATS)) for day in days}
        airline = model_of_airline.erin(own_id, days[0], seats)
    talks = (Talk(stage.mesh.customer(customer_id)), Talk(stage.mesh.customer(customer_id)))
    return Play(stage, conversation, names, Models(bank, airline), talks)


async def compare_states(stage: Stage, plays: Sequence[Play]) -> list[Play]:
    """Compare the stored state of all customers with the models. Returns the plays that differ."""
    found = await stored_states(stage.mesh)
    expect(leftovers(found), [], "what operations left behind")
    for one in plays:
        try:
            check_state(one.possible, found)
        except Mismatch as error:
            one.error = error
    return [one for one in plays if one.error]
