"""The measurements. In each round all systems do the same work, one right after the other."""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from bench.crash import CRASH, crash
from bench.laboratory import Laboratory
from bench.load import logged_bytes, new_session, play, play_for, say, verify
from bench.machine import calibrate, memory_mb
from bench.programs import BARE, FLOOR
from bench.results import Results
from bench.systems import COLLECTOR_DOWN, OURS, TRACED, System
from bench.workload import FAN_OUTS, HELLO, LOOK_UPS, fan_out

SESSIONS = 32
ALONE_MODEL_MS = 50
ALONE_TOOLS = 4
WIDEST = max(FAN_OUTS)
NEIGHBOURS = 2
"""Number of turns before and after a turn that are averaged with it, because a single turn is noisy."""

WINDOWED = (OURS, BARE, FLOOR)
"""Systems that send the model a window of the conversation. The others send all of it and get slower with each turn."""

TURNS_PER_S = "turns/s, {} tools"
CPU_MS = "CPU ms per turn, {} tools"
ALONE_MS = "ms, single turn"
FAN_OUT_MS = "ms, single fan-out"
TURN_MS = "ms, turn {}"
LOGGED_BYTES = "bytes logged per turn, around turn {}"
LOAD_BYTES = "bytes logged per turn, {} tools"
MEMORY_MB = "MB of memory"
"""Memory of all processes after the load with ALONE_TOOLS tools."""

PROCESS_CPU_MS = "CPU ms of {}"
"""CPU time of one process of our mesh, or of the floor, per turn with ALONE_TOOLS tools, under load."""

PARTS = {
    **dict.fromkeys(("triage", "floor-session"), "sessions"),
    **dict.fromkeys(("bench_agent", "floor-agent"), "agent"),
    **dict.fromkeys(("bench_tools", "floor-tools"), "tools"),
}
"""What a process does, by its name. The others are shared."""

COMPARED_TURN = 50
"""The turn of a long conversation that also systems reach which send the whole history."""

HOP_MS = "ms, first message, with hand-off"
NO_HOP_MS = "ms, second message, without hand-off"

Figures = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """Numbers of repetitions, and the duration of each load.

    `long_turns` are the turns of a long conversation that are measured, as far as they are reached in `long_limit`.
    Ours has `our_long_limit` in the first round, which is enough for all of them.
    """

    rounds: int = 2
    load: timedelta = timedelta(seconds=2)
    alone_sessions: int = 2
    alone_turns: int = 3
    hops: int = 20
    long_turns: tuple[int, ...] = (4, 10, COMPARED_TURN, 100, 300)
    long_limit: timedelta = timedelta(seconds=12)
    our_long_limit: timedelta = timedelta(seconds=90)
    crashes: int = 1
    model_calls: int = 100


QUICK = Plan(
    rounds=1,
    load=timedelta(seconds=0.5),
    alone_sessions=1,
    alone_turns=2,
    hops=3,
    long_turns=(4, 10),
    long_limit=timedelta(seconds=10),
    our_long_limit=timedelta(seconds=10),
    crashes=1,
    model_calls=20,
)


def every_system(system: System, round_number: int) -> bool:
    return True


def untraced(system: System, round_number: int) -> bool:
    """Most measurements leave out the traced meshes: a single turn and the load show the cost of spans."""
    return system.name not in (TRACED, COLLECTOR_DOWN)


def with_model(system: System, round_number: int) -> bool:
    """The floor has no model whose latency could be set."""
    return system.name != FLOOR


def ours_only(system: System, round_number: int) -> bool:
    return system.name == OURS


def peers_once(system: System, round_number: int) -> bool:
    """The slowest measurements of peers are taken only once, because one of a slow peer takes longer than all of ours.

    A long conversation is slow for a system that sends the whole history.
    """
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
    result = await play_for(system, fan_out(tools), SESSIONS, plan.load)
    figures = {
        TURNS_PER_S.format(tools): result.turns / result.seconds,
        CPU_MS.format(tools): result.cpu_ms / result.turns,
    }
    if system.log:
        figures[LOAD_BYTES.format(tools)] = result.logged_bytes / result.turns
    if tools == ALONE_TOOLS:
        figures[MEMORY_MB] = memory_mb(system.processes)
    if system.name in (OURS, FLOOR) and tools == ALONE_TOOLS:
        for name, used in result.cpu_ms_by_process.items():
            figures[PROCESS_CPU_MS.format(PARTS.get(name, name))] = used / result.turns
    return figures


async def alone(series: str, tools: int, system: System, plan: Plan) -> Figures:
    """Measure the median turn of one session at a time, on an idle machine."""
    runs = [await play(system, fan_out(tools), 1, plan.alone_turns) for _ in range(plan.alone_sessions)]
    return {series: statistics.median(latency for run in runs for latency in run.latencies_ms)}


async def long_conversation(system: System, plan: Plan) -> Figures:
    """Measure the turns around `long_turns` in one long conversation, until `long_limit` is over."""
    session, deadline = new_session(), time.monotonic() + plan.long_limit.total_seconds()
    await say(system, session, HELLO)
    latencies: list[float] = []
    figures: Figures = {}
    for turn in plan.long_turns:
        # The greeting was turn 1.
        first, last = turn - NEIGHBOURS - 2, turn + NEIGHBOURS - 1
        logged = 0.0
        while len(latencies) < last and time.monotonic() < deadline:
            if len(latencies) == first:
                logged = await logged_bytes(system)
            latencies.append(await say(system, session, LOOK_UPS))
        if len(latencies) < last:
            break
        figures[TURN_MS.format(turn)] = statistics.median(latencies[first:last])
        if system.log:
            figures[LOGGED_BYTES.format(turn)] = (await logged_bytes(system) - logged) / (last - first)
    await verify(system, session, [HELLO] + [LOOK_UPS] * len(latencies))
    return figures


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
            applies=every_system if tools == ALONE_TOOLS else peers_once,
        )
        for tools in FAN_OUTS
    ),
    Measurement("a turn alone", partial(alone, ALONE_MS, ALONE_TOOLS), model_ms=ALONE_MODEL_MS, applies=with_model),
    Measurement("a fan-out alone", partial(alone, FAN_OUT_MS, WIDEST)),
    Measurement("a hand-off", hand_off, applies=ours_only),
    Measurement("a long conversation", long_conversation, applies=peers_once),
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
                figures = await measurement.take(system, plan_of(system, round_number, plan))
                add(results, round_number, measurement.title, system, figures)
        results.rounds = round_number + 1
    await laboratory.set_model_latency(0)
    for crash_number in range(plan.crashes):
        for system in laboratory.systems:
            if untraced(system, crash_number) and system.name != FLOOR:
                add(results, crash_number, CRASH, system, await crash(system, laboratory))


def plan_of(system: System, round_number: int, plan: Plan) -> Plan:
    """Give our mesh the time for the longest conversation, once."""
    if system.name == OURS and round_number == 0:
        return replace(plan, long_limit=plan.our_long_limit)
    return plan


def add(results: Results, round_number: int, title: str, system: System, figures: Figures) -> None:
    for series, figure in figures.items():
        results.add(series, system.name, figure)
    log_figures(round_number, title, system, figures)


def rotated(systems: tuple[System, ...], round_number: int) -> tuple[System, ...]:
    """Start each round with another system, because the first one finds the machine at its coolest."""
    first = round_number % len(systems)
    return (*systems[first:], *systems[:first])


def log_figures(round_number: int, title: str, system: System, figures: Figures) -> None:
    shown = " · ".join(f"{series}: {figure:.1f}" for series, figure in figures.items())
    sys.stderr.write(f"round {round_number + 1}, {title}, {system.name}: {shown}\n")
