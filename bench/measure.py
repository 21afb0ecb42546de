"""The measurements. In each round all systems do the same work, one right after the other."""

import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bench.load import converse, new_session, play, say, verify
from bench.machine import calibrate
from bench.results import Results
from bench.systems import BARE, COLLECTOR_DOWN, OURS, TRACED, Laboratory, Ours, System
from bench.workload import FAN_OUTS, HELLO, LOOK_UPS, fan_out

SESSIONS = 32
ALONE_MODEL_MS = 50
ALONE_TOOLS = 4
WIDEST = max(FAN_OUTS)
NEIGHBOURS = 2
"""Number of turns before and after a turn that are averaged with it, because a single turn is noisy."""

WINDOWED = (OURS, BARE)
"""Systems that send the model a window of the conversation. The others send all of it and get slower with each turn."""

WHOLE_HISTORY_TURNS_MAX = 100

TURNS_PER_S = "turns/s, {} tools"
CPU_MS = "CPU ms per turn, {} tools"
ALONE_MS = "ms, single turn"
FAN_OUT_MS = "ms, single fan-out"
TURN_MS = "ms, turn {}"
LOGGED_BYTES = "bytes logged per turn, around turn {}"
PROCESS_CPU_MS = "CPU ms of {}"
"""CPU time of one process of our mesh per turn with ALONE_TOOLS tools, under load."""

HOP_MS = "ms, first message, with hand-off"
NO_HOP_MS = "ms, second message, without hand-off"

Figures = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """Numbers of repetitions. `long_turns` are the turns of a long conversation that are measured."""

    rounds: int = 5
    load_turns: int = 6
    alone_sessions: int = 4
    alone_turns: int = 6
    hops: int = 20
    long_turns: tuple[int, ...] = (4, 10, 100, 300)
    model_calls: int = 200


QUICK = Plan(rounds=1, load_turns=2, alone_sessions=1, alone_turns=4, hops=5, long_turns=(10, 30), model_calls=20)


def every_system(system: System, round_number: int) -> bool:
    return True


def untraced(system: System, round_number: int) -> bool:
    """Most measurements leave out the traced meshes: a single turn and the load show the cost of spans."""
    return system.name not in (TRACED, COLLECTOR_DOWN)


def ours_only(system: System, round_number: int) -> bool:
    return system.name == OURS


def whole_history_once(system: System, round_number: int) -> bool:
    """A system that sends the whole history needs a minute for a long conversation, so measure it only once."""
    return untraced(system, round_number) and (system.name in WINDOWED or round_number == 0)


@dataclass(frozen=True)
class Measurement:
    """`applies` selects systems and rounds (from 0). `model_ms` is the latency of each model call."""

    title: str
    take: Callable[[System, Plan], Awaitable[Figures]]
    model_ms: int = 0
    applies: Callable[[System, int], bool] = untraced


async def under_load(tools: int, system: System, plan: Plan) -> Figures:
    """Measure concurrent sessions: throughput, and the CPU time of all processes of the system."""
    result = await play(system, fan_out(tools), SESSIONS, plan.load_turns)
    figures = {
        TURNS_PER_S.format(tools): result.turns / result.seconds,
        CPU_MS.format(tools): result.cpu_ms / result.turns,
    }
    if system.name == OURS and tools == ALONE_TOOLS:
        parts = {PROCESS_CPU_MS.format(name): used for name, used in result.cpu_ms_by_process.items() if used}
        figures |= {name: used / result.turns for name, used in parts.items()}
    return figures


async def alone(series: str, tools: int, system: System, plan: Plan) -> Figures:
    """Measure the median turn of one session at a time, on an idle machine."""
    runs = [await play(system, fan_out(tools), 1, plan.alone_turns) for _ in range(plan.alone_sessions)]
    return {series: statistics.median(latency for run in runs for latency in run.latencies_ms)}


async def long_conversation(system: System, plan: Plan) -> Figures:
    """Measure the turns around `long_turns` in one long conversation."""
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
        measured = 2 * NEIGHBOURS + 1
        figures[TURN_MS.format(turn)] = statistics.median(await converse(system, session, LOOK_UPS, measured))
        if logged:
            figures[LOGGED_BYTES.format(turn)] = (await logged_bytes(system) - logged) / measured
        tasks += [LOOK_UPS] * (before + measured)
    await verify(system, session, tasks)
    return figures


async def logged_bytes(system: System) -> float:
    return await system.logged_bytes() if isinstance(system, Ours) else 0.0


async def hand_off(system: System, plan: Plan) -> Figures:
    """Send the same message twice: first through the triage agent, then directly to the agent."""
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
            applies=every_system if tools == ALONE_TOOLS else untraced,
        )
        for tools in FAN_OUTS
    ),
    Measurement("a turn alone", partial(alone, ALONE_MS, ALONE_TOOLS), model_ms=ALONE_MODEL_MS, applies=every_system),
    Measurement("a fan-out alone", partial(alone, FAN_OUT_MS, WIDEST)),
    Measurement("a hand-off", hand_off, applies=ours_only),
    Measurement("a long conversation", long_conversation, applies=whole_history_once),
)


async def measure(laboratory: Laboratory, plan: Plan, results: Results) -> None:
    """Run all rounds and add each figure to `results` immediately. Raises WrongAnswer."""
    for system in laboratory.systems:
        # Warm up: the first requests open connections and run lazy imports.
        await play(system, fan_out(WIDEST), SESSIONS // 4, 1)
    for round_number in range(plan.rounds):
        for measurement in MEASUREMENTS:
            await laboratory.set_model_latency(measurement.model_ms)
            for system in rotated(laboratory.systems, round_number):
                if not measurement.applies(system, round_number):
                    continue
                results.calibration_ms.append(round(calibrate(), 3))
                figures = await measurement.take(system, plan)
                for series, figure in figures.items():
                    results.add(series, system.name, figure)
                log_figures(round_number, measurement, system, figures)
        results.rounds = round_number + 1


def rotated(systems: tuple[System, ...], round_number: int) -> tuple[System, ...]:
    """Start each round with another system, because the first one finds the machine at its coolest."""
    first = round_number % len(systems)
    return (*systems[first:], *systems[:first])


def log_figures(round_number: int, measurement: Measurement, system: System, figures: Figures) -> None:
    shown = " · ".join(f"{series}: {figure:.1f}" for series, figure in figures.items())
    sys.stderr.write(f"round {round_number + 1}, {measurement.title}, {system.name}: {shown}\n")
