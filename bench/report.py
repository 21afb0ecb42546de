"""Render the results as Markdown tables, between two marks in docs/operate/performance.md. Pure functions."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.crash import (
    CONVERSATIONS_LOST,
    EFFECTS_DOUBLED,
    MODEL_CALLS_REPEATED,
    RECOVERY_S,
    TURNS_LOST,
)
from bench.crash import SESSIONS as CRASH_SESSIONS
from bench.measure import (
    ALONE_MS,
    ALONE_TOOLS,
    COMPARED_TURN,
    CPU_MS,
    FAN_OUT_MS,
    HOP_MS,
    LOAD_BYTES,
    LOGGED_BYTES,
    MEMORY_MB,
    NO_HOP_MS,
    PROCESS_CPU_MS,
    SESSIONS,
    TURN_MS,
    TURNS_PER_S,
    WIDEST,
)
from bench.model_call import APIS, CALL_MS, MODEL_CALL_TURNS, OUR_PATH, TYPED
from bench.programs import (
    AGENTS,
    BARE,
    FLOOR,
    ONE_SERVICE,
    ONE_SERVICE_POST,
    PROGRAMS,
    PYDANTIC_AI,
    TEMPORAL,
    Store,
)
from bench.results import Results, spread
from bench.systems import COLLECTOR_DOWN, OURS, TRACED
from bench.workload import FAN_OUTS, TOOL_MS

BEGIN, END = "<!-- results -->", "<!-- end of results -->"
README_BEGIN, README_END = "<!-- bench -->", "<!-- end of bench -->"
ABSENT = "–"
CRASH_SERIES = (RECOVERY_S, MODEL_CALLS_REPEATED, EFFECTS_DOUBLED, TURNS_LOST, CONVERSATIONS_LOST)

NAMES = {
    OURS: "**Switchboard**",
    TRACED: "Switchboard, traced",
    COLLECTOR_DOWN: "Switchboard, traced, collector down",
    FLOOR: "Restate with empty handlers",
    BARE: "bare loop",
    ONE_SERVICE: "one Restate service",
    ONE_SERVICE_POST: "one Restate service, our request path",
    PYDANTIC_AI: "pydantic-ai with DBOS",
    TEMPORAL: "openai-agents with Temporal",
}
"""Names in the tables that differ from those in the results."""

ORDER = (OURS, TRACED, COLLECTOR_DOWN, *(program.name for program in PROGRAMS), OUR_PATH, TYPED)


@dataclass(frozen=True)
class Target:
    """A target: its description, how to compute it from the results, and its limit."""

    description: str
    measured: Callable[[Results], float | None]
    limit: float
    at_least: bool

    def row(self, results: Results) -> list[str]:
        found = self.measured(results)
        sign = "≥" if self.at_least else "≤"
        if found is None:
            return [self.description, f"{sign} {self.limit}x", ABSENT, "not measured"]
        met = found >= self.limit if self.at_least else found <= self.limit
        return [self.description, f"{sign} {self.limit}x", f"{found:.2f}x", "yes" if met else "**no**"]


def traced(name: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(ALONE_MS, name, OURS)


BUSY = TURNS_PER_S.format(ALONE_TOOLS)
BUSY_CPU = CPU_MS.format(ALONE_TOOLS)
DURABLE_PEERS = tuple(
    program.name
    for program in PROGRAMS
    # The floor and one service with our request path show what parts of Switchboard cost, and are no rivals.
    if program.store is not Store.NONE and program.name not in (FLOOR, ONE_SERVICE_POST)
)


def throughput(peer: str, limit: float) -> Target:
    description = f"turns/s at {SESSIONS} sessions, {ALONE_TOOLS} tools, against {NAMES.get(peer, peer)}"
    return Target(description, lambda results: results.ratio(BUSY, OURS, peer), limit, at_least=True)


TARGETS = (
    throughput(FLOOR, 0.8),
    Target(
        f"CPU time per turn, {ALONE_TOOLS} tools, against Restate with empty handlers",
        lambda results: results.ratio(BUSY_CPU, OURS, FLOOR),
        1.25,
        at_least=False,
    ),
    throughput(BARE, 0.4),
    throughput(AGENTS, 3),
    *(throughput(peer, 2) for peer in DURABLE_PEERS),
    Target(
        f"single turn, {ALONE_TOOLS} tools, model 50 ms, against the bare loop",
        lambda results: results.ratio(ALONE_MS, OURS, BARE),
        1.25,
        at_least=False,
    ),
    Target(
        f"single fan-out of {WIDEST}, against its slowest tool",
        lambda results: to_slowest_tool(results, OURS),
        1.35,
        at_least=False,
    ),
    Target(
        "turn 300 of a conversation against turn 10",
        lambda results: results.growth(TURN_MS.format(300), TURN_MS.format(10), OURS),
        1.3,
        at_least=False,
    ),
    Target(
        "first message, with a hand-off, against the second one",
        lambda results: results.growth(HOP_MS, NO_HOP_MS, OURS),
        1.6,
        at_least=False,
    ),
    Target("single turn, traced, against untraced", traced(TRACED), 1.15, at_least=False),
    Target("the same while the collector is down", traced(COLLECTOR_DOWN), 1.15, at_least=False),
)


def insert_tables(document: str, results: Results) -> str:
    """Replace the text between the marks. Raises ValueError if the document has no marks."""
    return insert(document, render(results), BEGIN, END)


def insert_overview(readme: str, results: Results) -> str:
    """The same for the table of one screen. Raises ValueError."""
    return insert(readme, f"\n{overview(results)}\n", README_BEGIN, README_END)


def insert(document: str, text: str, begin_mark: str, end_mark: str) -> str:
    before, begin, rest = document.partition(begin_mark)
    _, end, after = rest.partition(end_mark)
    if not begin or not end:
        raise ValueError(f"The document has no marks for the results. Add the lines {begin_mark} and {end_mark}.")
    return f"{before}{begin_mark}\n{text}\n{end_mark}{after}"


def render(results: Results) -> str:
    """Return all tables with their headings."""
    load = [TURNS_PER_S.format(tools) for tools in FAN_OUTS]
    cpu = [CPU_MS.format(tools) for tools in FAN_OUTS]
    long_turns = sorted_turns(results)
    latencies = [TURN_MS.format(turn) for turn in long_turns]
    logged = [LOGGED_BYTES.format(turn) for turn in long_turns]
    parts = [
        machine_line(results),
        overview(results),
        "### Targets",
        table(["target", "limit", "measured", "met"], [target.row(results) for target in TARGETS]),
        f"### {SESSIONS} concurrent sessions, model 0 ms, every tool {TOOL_MS} ms",
        figures_table(results, load, decimals=1),
        "CPU time of all processes of the system, without the model and the load generator:",
        figures_table(results, cpu, decimals=1),
        "Bytes that a system's store appends to its log per turn, and memory:",
        figures_table(results, [LOAD_BYTES.format(ALONE_TOOLS), MEMORY_MB], decimals=0),
        ratio_table(results, [*load, *cpu]),
        f"CPU ms per turn by process, with {ALONE_TOOLS} tools:",
        process_table(results),
        f"### Idle machine: single turns with {ALONE_TOOLS} tools and model 50 ms, or {WIDEST} tools and model 0 ms",
        figures_table(results, [ALONE_MS, FAN_OUT_MS], decimals=0),
        "### A long conversation, with two tool results of about 500 bytes in every turn",
        figures_table(results, latencies, decimals=1),
        "Bytes that a system's store appends to its log per turn:",
        figures_table(results, logged, decimals=0),
        f"### A crash of all workers during {CRASH_SESSIONS} turns",
        figures_table(results, CRASH_SERIES, decimals=1),
        "### A hand-off",
        figures_table(results, [HOP_MS, NO_HOP_MS], decimals=1),
        model_call_tables(results),
    ]
    return "\n" + "\n\n".join(part for part in parts if part) + "\n"


def overview(results: Results) -> str:
    """Return the table of one screen: our medians, and each other system's ratio to them within the same rounds."""
    busy, cpu, logged = (series.format(ALONE_TOOLS) for series in (TURNS_PER_S, CPU_MS, LOAD_BYTES))
    widths = " / ".join(map(str, FAN_OUTS))
    head = [
        *(
            "",
            "durable in",
            f"turns/s, {widths} tools",
            "single turn",
            "fan-out to slowest tool",
            f"turn {COMPARED_TURN} to turn 10",
        ),
        *("CPU a turn", "memory", "bytes logged", "recovery", "repeated or lost in a crash"),
    ]
    rows = [
        [
            *(NAMES.get(system, system), durable_in(system)),
            " / ".join(beside(results, TURNS_PER_S.format(tools), system, "{:.1f}") for tools in FAN_OUTS),
            beside(results, ALONE_MS, system, "{:.0f} ms"),
            times(to_slowest_tool(results, system)),
            times(results.growth(TURN_MS.format(COMPARED_TURN), TURN_MS.format(10), system)),
            beside(results, cpu, system, "{:.1f} ms"),
            beside(results, MEMORY_MB, system, "{:.0f} MB"),
            beside(results, logged, system, "{:,.0f}"),
            beside(results, RECOVERY_S, system, "{:.1f} s"),
            crash_words(results, system),
        ]
        for system in systems(results, [busy])
        if system not in (TRACED, COLLECTOR_DOWN)  # They have few figures, which are in the tables below.
    ]
    return table(head, rows) if rows else ""


def durable_in(system: str) -> str:
    stores = {program.name: program.store for program in PROGRAMS}
    store = stores.get(system, Store.RESTATE)
    return "no" if store is Store.NONE else store.value


def beside(results: Results, series: str, system: str, form: str) -> str:
    """Return our median, or another system's ratio to us within the same rounds."""
    if system == OURS:
        median = results.median(series, OURS)
        return ABSENT if median is None else form.format(median)
    return times(results.ratio(series, system, OURS))


def to_slowest_tool(results: Results, system: str) -> float | None:
    median = results.median(FAN_OUT_MS, system)
    return median / TOOL_MS if median is not None else None


def crash_words(results: Results, system: str) -> str:
    """Return what the crashes repeated or lost, in words, summed over all of them."""
    sums = {series: sum(results.figures(series, system)) for series in CRASH_SERIES[1:]}
    if not results.figures(RECOVERY_S, system):
        return ABSENT
    return ", ".join(f"{number:.0f} {series}" for series, number in sums.items() if number) or "nothing"


def model_call_tables(results: Results) -> str:
    """Return the CPU time of a model call for each wire API, and the ratio of both ways; "" if it was not measured."""
    series = [CALL_MS.format(api) for api in APIS]
    figures = figures_table(results, series, decimals=2)
    if not figures:
        return ""
    ratios = [times(results.ratio(name, OUR_PATH, TYPED)) for name in series]
    heading = f"### A model call by itself, with the bank's tools and {MODEL_CALL_TURNS} turns in the request"
    return f"{heading}\n\n{figures}\n\n{table(['', *series], [[f'{OUR_PATH} / {TYPED}', *ratios]])}"


def machine_line(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in ("date", "cores", "cpu"))
    return (
        f"Measured {machine.get('date', '?')} on {machine.get('cores', '?')} cores ({machine.get('cpu', '?')}): "
        f"{versions}. {results.rounds} rounds; medians, minimum and maximum in brackets. Noise: a fixed loop before "
        f"each measurement took up to {spread(results.calibration_ms):.2f}x its shortest time."
    )


def sorted_turns(results: Results) -> list[int]:
    """Return the measured turns of the long conversation."""
    before, _, after = TURN_MS.partition("{}")
    names = [name.removeprefix(before).removesuffix(after) for name in results.series if name.startswith(before)]
    return sorted(int(name) for name in names)


def figures_table(results: Results, series: Sequence[str], decimals: int) -> str:
    """Return a table with a row for each measured system, or "" if there is none."""
    rows = [
        [NAMES.get(system, system), *(figure(results.figures(name, system), decimals) for name in series)]
        for system in systems(results, series)
    ]
    return table(["", *series], rows) if rows else ""


def process_table(results: Results) -> str:
    """Return a table of our CPU time by process beside the floor's, our largest first."""
    before = PROCESS_CPU_MS.partition("{}")[0]
    parts = [name for name in results.series if name.startswith(before)]
    parts.sort(key=lambda name: -(results.median(name, OURS) or 0))
    shown = [system for system in (OURS, FLOOR) if any(results.figures(name, system) for name in parts)]
    rows = [
        [name.removeprefix(before), *(figure(results.figures(name, system), decimals=1) for system in shown)]
        for name in parts
    ]
    return table(["process", *(NAMES[system] for system in shown)], rows) if rows else ""


def figure(figures: Sequence[float], decimals: int) -> str:
    """Return the median, with minimum and maximum if there is more than one figure."""
    if not figures:
        return ABSENT
    middle = f"{statistics.median(figures):,.{decimals}f}"
    if len(figures) == 1:
        return middle
    return f"{middle} ({min(figures):,.{decimals}f}–{max(figures):,.{decimals}f})"


def ratio_table(results: Results, series: Sequence[str]) -> str:
    """Return a table of our ratio to each peer, from figures of the same rounds."""
    peers = [system for system in systems(results, series) if system != OURS]
    rows = [
        [f"Switchboard / {NAMES.get(peer, peer)}", *(times(results.ratio(name, OURS, peer)) for name in series)]
        for peer in peers
    ]
    return table(["", *series], rows) if rows else ""


def times(ratio: float | None) -> str:
    return ABSENT if ratio is None else f"{ratio:.2f}x"


def systems(results: Results, series: Sequence[str]) -> list[str]:
    """Return the systems with a figure in one of these series, in the order of ORDER."""
    found = {system for name in series for system in results.series.get(name, {})}
    return sorted(found, key=ORDER.index)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
