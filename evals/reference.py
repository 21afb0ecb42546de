"""Play the reference calls of tasks through the tools on a real Restate, without a model, and compare the results.

uv run python -m evals.reference --data DIR --tasks FILE
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.caller import CALLER, PlayedCall
from evals.mesh import EvalMesh, HandlerFailed, airline_environment, open_mesh
from evals.tasks import (
    KINDS,
    BadFile,
    Outcome,
    Task,
    World,
    changed,
    customer_of,
    different_seats,
    read_tasks,
    read_world,
    wrong_records,
    wrong_result,
)
from services.airline.agent import airline
from switchboard.local.process import StartFailed
from switchboard.messages import Identity, ToolResult

DIFFERENCES_SHOWN_MAX = 5
SEATS_NOTE = "free seats of {count} flight days differ: docs/decisions/0007-seats-come-back.md"


@dataclass(frozen=True)
class Played:
    """The result of a task: every difference in words, and the flights and days on which only the seats differ."""

    task: Task
    differences: Sequence[str]
    seats: Sequence[str]

    @property
    def equal(self) -> bool:
        return not self.differences

    def line(self) -> str:
        name = f"task {self.task.id:>3}  {len(self.task.steps):>2} calls  "
        note = f" ({SEATS_NOTE.format(count=len(self.seats))})" if self.seats else ""
        if self.equal:
            return f"{name}equal{note}"
        more = len(self.differences) - DIFFERENCES_SHOWN_MAX
        shown = [*self.differences[:DIFFERENCES_SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])]
        return f"{name}DIFFERS: {'; '.join(shown)}{note}"


async def replay(data: Path, tasks: Sequence[Task]) -> list[Played]:
    """Play every task from the initial state, one after the other. Raises BadFile, StartFailed."""
    base = read_world(data)
    async with open_mesh(
        airline_environment(data), model={}, services=("tools",), beside={"caller": "evals.caller"}
    ) as mesh:
        played: list[Played] = []
        for task in tasks:
            if played:
                await mesh.reset()
            try:
                played.append(await play(mesh, base, task))
            except HandlerFailed as error:
                # A defect of the tools, which counts for this task only. The others can still be played.
                played.append(Played(task, [str(error)], []))
            print(played[-1].line(), flush=True)
        return played


async def play(mesh: EvalMesh, base: World, task: Task) -> Played:
    """Make the calls of one task in order and compare the records afterwards. Raises HandlerFailed."""
    customer_id = customer_of(task, base)
    differences: list[str] = []
    for number, step in enumerate(task.steps, 1):
        outcome = await call(mesh, task.id, customer_id, step.name, dict(step.arguments))
        if wrong := wrong_result(step, outcome):
            differences.append(f"call {number}, {wrong}")
    records = await mesh.dump()
    expected, got = changed(base, task), World(**{kind: records[kind] for kind in KINDS})
    return Played(task, [*differences, *wrong_records(expected, got)], different_seats(expected, got))


async def call(mesh: EvalMesh, task_id: str, customer_id: str, name: str, arguments: dict[str, object]) -> Outcome:
    """Make one call as the loop would. The customer comes from the session and is not an argument."""
    tool = airline.tool(name)
    own = {field for field in (tool.filled_fields() if tool else ()) if arguments.get(field) == customer_id}
    request = PlayedCall(
        agent=airline.name,
        identity=Identity(session_id=f"task-{task_id}", customer_id=customer_id),
        tool=name,
        arguments=json.dumps({field: value for field, value in arguments.items() if field not in own}),
    )
    result = ToolResult.model_validate(await mesh.call(f"{CALLER}/call", request.model_dump(mode="json")))
    return Outcome(result.ok, json.loads(result.content) if result.ok else result.content)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.reference", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flights, reservations and users.json")
    parser.add_argument("--tasks", type=Path, required=True, help="the tasks: calls, results, expected change")
    given = parser.parse_args(argv)
    began = time.monotonic()
    try:
        played = asyncio.run(replay(given.data, read_tasks(given.tasks)))
    except (BadFile, StartFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    equal = sum(one.equal for one in played)
    print(f"{sum(len(one.task.steps) for one in played)} calls in {time.monotonic() - began:.0f} s")
    print(f"{equal} of {len(played)} equal")
    return 0 if equal == len(played) else 1


if __name__ == "__main__":
    sys.exit(main())
