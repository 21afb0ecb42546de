"""`python -m bench`: measure all systems in alternation, write bench/results.json and docs/operate/performance.md."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import uvloop

from bench.laboratory import laboratory
from bench.machine import PROJECT, description
from bench.measure import QUICK, Plan, measure
from bench.model_call import measure_calls
from bench.programs import PEER_PYTHON, PROGRAMS, Program, available_programs
from bench.report import insert_overview, insert_tables, overview
from bench.results import Results
from bench.systems import WrongAnswer
from switchboard.local.process import StartFailed

RESULTS = PROJECT / "bench" / "results.json"
README = PROJECT / "README.md"
DOCUMENT = PROJECT / "docs" / "operate" / "performance.md"


def main() -> int:
    options = arguments()
    if options.render:
        write_document(Results(**orjson.loads(RESULTS.read_bytes())))
        return 0
    plan = QUICK if options.quick else Plan()
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    programs = [program for program in PROGRAMS if not options.only or program.name in options.only]
    available = list(available_programs(options.peer_python, programs))
    results = Results(machine=description())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(plan, results, available, options.traced))
    except (StartFailed, WrongAnswer) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. All processes were stopped and no results were written.\n")
        return 130
    print(overview(results))
    if not options.quick:
        RESULTS.write_bytes(orjson.dumps(asdict(results), option=orjson.OPT_INDENT_2) + b"\n")
        write_document(results)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"number of rounds; default {Plan().rounds}")
    parser.add_argument("--quick", action="store_true", help="smoke test of some minutes that writes no results")
    parser.add_argument(
        "--only", nargs="*", choices=[program.name for program in PROGRAMS], help="peers to measure beside ours"
    )
    parser.add_argument("--traced", action="store_true", help="also measure two meshes with tracing")
    parser.add_argument("--render", action="store_true", help="only render the tables of the last run again")
    parser.add_argument(
        "--peer-python", type=Path, default=PEER_PYTHON, help="Python interpreter with the peers' packages"
    )
    return parser.parse_args()


async def run(plan: Plan, results: Results, programs: Sequence[Program], traced: bool) -> None:
    await measure_calls(results, plan.rounds, plan.model_calls)
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        async with laboratory(Path(folder), programs, traced) as systems:
            await measure(systems, plan, results)


def write_document(results: Results) -> None:
    DOCUMENT.write_text(insert_tables(DOCUMENT.read_text(), results))
    README.write_text(insert_overview(README.read_text(), results))


if __name__ == "__main__":
    sys.exit(main())
