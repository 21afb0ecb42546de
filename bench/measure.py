"""What is measured, round by round: in each, every system does the same, one right after the other."""

import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bench.load import converse, new_session, play, say, verify
from bench.machine import calibrate
from bench.results import Results
from bench.systems import BARE, COLLECTOR_AWAY, OURS, TRACED, Laboratory, Ours, System
from bench.workload import FAN_OUTS, HELLO, LOOK_UPS, fan_out

SESSIONS = 32
ALONE_MODEL_MS = 50
ALONE_TOOLS = 4
WIDEST = max(FAN_OUTS)
NEIGHBOURS = 2
"""A single turn says little: so many on both sides are taken with it."""

WINDOWED = (OURS, BARE)
"""Systems that send the model a window of the conversation; the others send all of it, and get slower and slower."""

WHOLE_HISTORY_TURNS_MAX = 100

TURNS_PER_S = "turns/s, {} tools"
CPU_MS = "CPU ms a turn, {} tools"
ALONE_MS = "ms, a turn alone"
FAN_OUT_MS = "ms, a fan-out alone"
TURN_MS = "ms, turn {}"
LOGGED_BYTES = "bytes logged a turn, about turn {}"
PROCESS_CPU_MS = "CPU ms of {}"
"""Of one process of ours, a turn with ALONE_TOOLS tools under load."""

HOP_MS = "ms, first message, with a hand-off"
NO_HOP_MS = "ms, second message, without"

Figures = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How much of everything. `long_turns` are the turns of a long conversation that are looked at."""

    rounds: int = 5
    load_turns: int = 6
    alone_sessions: int = 4
    alone_turns: int = 6
    hops: int = 20
    long_turns: tuple[int, ...] = (4, 10, 100, 300)


QUICK = Plan(rounds=1, load_turns=2, alone_sessions=1, alone_turns=4, hops=5, long_turns=(10, 30))


def with_traced(system: System, round_number: int) -> bool:
    return True


def not_traced(system: System, round_number: int) -> bool:
    """What spans cost is seen where it matters: in a turn alone, and under load."""
    return system.name not in (TRACED, COLLECTOR_AWAY)


def ours_only(system: System, round_number: int) -> bool:
    return system.name == OURS


def whole_history_once(system: System, round_number: int) -> bool:
    """Who sends the whole history takes a minute for a long conversation; once is enough to see it."""
    return not_traced(system, round_number) and (system.name in WINDOWED or round_number == 0)


@dataclass(frozen=True)
class Measurement:
    """`applies` says to which system, in which round from 0. `model_ms` is what each model call takes."""

    title: str
    take: Callable[[System, Plan], Awaitable[Figures]]
    model_ms: int = 0
    applies: Callable[[System, int], bool] = not_traced


async def under_load(tools: int, system: System, plan: Plan) -> Figures:
    """Many sessions at once: throughput, and the CPU time of all of the system's processes."""
    played = await play(system, fan_out(tools), SESSIONS, plan.load_turns)
    figures = {
        TURNS_PER_S.format(tools): played.turns / played.seconds,
        CPU_MS.format(tools): played.cpu_ms / played.turns,
    }
    if system.name == OURS and tools == ALONE_TOOLS:
        parts = {PROCESS_CPU_MS.format(name): used for name, used in played.cpu_ms_by_process.items() if used}
        figures |= {name: used / played.turns for name, used in parts.items()}
    return figures


async def alone(series: str, tools: int, system: System, plan: Plan) -> Figures:
    """One session at a time, on an idle machine: the median turn."""
    played = [await play(system, fan_out(tools), 1, plan.alone_turns) for _ in range(plan.alone_sessions)]
    return {series: statistics.median(latency for run in played for latency in run.latencies_ms)}


async def long_conversation(system: System, plan: Plan) -> Figures:
    """One conversation from its first message to its last, and how long the turns about some of them took."""
    session = new_session()
    tasks = [HELLO]
    await say(system, session, HELLO)
    figures: Figures = {}
    for turn in plan.long_turns:
        if turn > WHOLE_HISTORY_TURNS_MAX and system.name not in WINDOWED:
            break
        before = turn - NEIGHBOURS - 1 - len(tasks)
        await converse(system, session, LOOK_UPS, before)
        logged = await logged_bytes(system)
        about = 2 * NEIGHBOURS + 1
        figures[TURN_MS.format(turn)] = statistics.median(await converse(system, session, LOOK_UPS, about))
        if logged:
            figures[LOGGED_BYTES.format(turn)] = (await logged_bytes(system) - logged) / about
        tasks += [LOOK_UPS] * (before + about)
    await verify(system, session, tasks)
    return figures


async def logged_bytes(system: System) -> float:
    return await system.logged_bytes() if isinstance(system, Ours) else 0.0


async def hand_off(system: System, plan: Plan) -> Figures:
    """The same message twice: the first goes through the triage agent, the second straight to the agent."""
    first, second = [], []
    for _ in range(plan.hops):
        session = new_session()
        first.append(await say(system, session, HELLO))
        second.append(await say(system, session, HELLO))
    return {HOP_MS: statistics.median(first), NO_HOP_MS: statistics.median(second)}


MEASUREMENTS = (
    *(
        Measurement(
            f"{SESSIONS} sessions, {tools} tools",
            partial(under_load, tools),
            applies=with_traced if tools == ALONE_TOOLS else not_traced,
        )
        for tools in FAN_OUTS
    ),
    Measurement("a turn alone", partial(alone, ALONE_MS, ALONE_TOOLS), model_ms=ALONE_MODEL_MS, applies=with_traced),
    Measurement("a fan-out alone", partial(alone, FAN_OUT_MS, WIDEST)),
    Measurement("a hand-off", hand_off, applies=ours_only),
    Measurement("a long conversation", long_conversation, applies=whole_history_once),
)


async def measure(laboratory: Laboratory, plan: Plan, results: Results) -> None:
    """All rounds. The figures are in `results` as soon as they are there. Raises WrongAnswer."""
    for system in laboratory.systems:
        # The first requests pay for connections and lazy imports.
        await play(system, fan_out(WIDEST), SESSIONS // 4, 1)
    for round_number in range(plan.rounds):
        for measurement in MEASUREMENTS:
            await laboratory.model_takes(measurement.model_ms)
            for system in in_turn(laboratory.systems, round_number):
                if not measurement.applies(system, round_number):
                    continue
                results.calibration_ms.append(round(calibrate(), 3))
                figures = await measurement.take(system, plan)
                for series, figure in figures.items():
                    results.add(series, system.name, figure)
                tell(round_number, measurement, system, figures)
        results.rounds = round_number + 1


def in_turn(systems: tuple[System, ...], round_number: int) -> tuple[System, ...]:
    """Each round begins with another system: whoever comes first finds the machine at its coolest."""
    first = round_number % len(systems)
    return (*systems[first:], *systems[:first])


def tell(round_number: int, measurement: Measurement, system: System, figures: Figures) -> None:
    said = " · ".join(f"{series}: {figure:.1f}" for series, figure in figures.items())
    sys.stderr.write(f"round {round_number + 1}, {measurement.title}, {system.name}: {said}\n")
