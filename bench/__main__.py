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

from bench.machine import PROJECT, description
from bench.measure import QUICK, Plan, measure
from bench.model_call import measure_calls
from bench.report import insert_tables, render
from bench.results import Results
from bench.systems import PeerProgram, WrongAnswer, laboratory, peer_programs
from switchboard.local.process import StartFailed

PEER_PYTHON = PROJECT / ".tools" / "venv-bench" / "bin" / "python"
RESULTS = PROJECT / "bench" / "results.json"
DOCUMENT = PROJECT / "docs" / "operate" / "performance.md"


def main() -> int:
    options = arguments()
    if options.render:
        write_document(Results(**orjson.loads(RESULTS.read_bytes())))
        return 0
    if not options.peer_python.is_file():
        sys.stderr.write(
            f"{options.peer_python} does not exist. Run `make bench`, which installs the peers' packages.\n"
        )
        return 1
    plan = QUICK if options.quick else Plan()
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    results = Results(machine=description())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(plan, results, peer_programs(options.peer_python, more=options.peers)))
    except (StartFailed, WrongAnswer) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. All processes were stopped and no results were written.\n")
        return 130
    print(render(results))
    if not options.quick:
        RESULTS.write_bytes(orjson.dumps(asdict(results), option=orjson.OPT_INDENT_2) + b"\n")
        write_document(results)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"number of rounds; default {Plan().rounds}")
    parser.add_argument("--quick", action="store_true", help="smoke test of about a minute that writes no results")
    parser.add_argument(
        "--peers", action="store_true", help="also measure restate.ext.openai, which doubles the duration"
    )
    parser.add_argument("--render", action="store_true", help="only render the tables of the last run again")
    parser.add_argument(
        "--peer-python", type=Path, default=PEER_PYTHON, help="Python interpreter with the peers' packages"
    )
    return parser.parse_args()


async def run(plan: Plan, results: Results, programs: Sequence[PeerProgram]) -> None:
    await measure_calls(results, plan.rounds, plan.model_calls)
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        async with laboratory(Path(folder), programs) as systems:
            await measure(systems, plan, results)


def write_document(results: Results) -> None:
    DOCUMENT.write_text(insert_tables(DOCUMENT.read_text(), results))


if __name__ == "__main__":
    sys.exit(main())
