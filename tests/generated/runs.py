"""Runs of generated conversations: many of them at the same time, each run repeatable by its seed."""

import asyncio
import copy
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.chaos.crowd import FLIGHT_DAYS, reservation_id
from tests.chaos.writes import leftovers
from tests.generated import model_of_airline, model_of_bank
from tests.generated.customer import Models, Names, Talk
from tests.generated.generate import STEPS_MAX, conversations, named_day
from tests.generated.outcomes import Mismatch, expect
from tests.generated.play import Play
from tests.generated.script import Conversation, as_test
from tests.generated.stage import Stage
from tests.generated.stored import check_state, stored_states
from tests.mesh.booking_desk import days_from_today

DAYS_FROM = 10
"""Erin's copies fly from so many days ahead; see tests/chaos/crowd.py."""

SEATS = {"basic_economy": 12, "economy": 60, "business": 14}
"""Free seats of her flight on each day."""

AT_ONCE = 20
"""Conversations that are played at the same time. One that is empty is not played, so a failure shrinks to one."""


async def play_generated(
    stage: Stage, count: int, number: int, steps_max: int = STEPS_MAX, kills: bool = False
) -> None:
    """Play so many conversations, at least. The run's `number` is its seed.

    Raises Mismatch with the shortest script that was found: a failing run is repeated with fewer and simpler steps.
    """
    loop, before, failed = asyncio.get_running_loop(), stage.played, False

    # Half of the batches may be short, and the first is empty: it is the simplest.
    @settings(
        max_examples=2 + 2 * count // AT_ONCE,
        phases=(Phase.generate, Phase.shrink),
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(st.lists(conversations(steps_max, kills), min_size=AT_ONCE, max_size=AT_ONCE))
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
    talks = (Talk(stage.customer(customer_id)), Talk(stage.customer(customer_id)))
    return Play(stage, conversation, names, Models(bank, airline), talks)


async def compare_states(stage: Stage, plays: Sequence[Play]) -> list[Play]:
    """Compare the stored state of all customers with the models. Returns the plays that differ."""
    found = await stored_states(stage.laboratory)
    expect(leftovers(found), [], "what operations left behind")
    for one in plays:
        try:
            check_state(one.possible, found)
        except Mismatch as error:
            one.error = error
    return [one for one in plays if one.error]
