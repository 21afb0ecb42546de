"""python -m evals.cases [--model NAME] [--base-url URL] [case …]: play the cases and print a table of the results."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from evals.cases.form import BadCase, Case, chosen, read_cases
from evals.cases.play import Result, mesh_for_cases, play_case, player_of
from evals.mesh import HandlerFailed
from switchboard.local.process import StartFailed

KEY_OF_NO_KEY = "not-needed"
"""Sent to an own endpoint that needs no key."""


async def play_all(cases: Sequence[Case], model: Mapping[str, str] | None) -> list[Result]:
    """Play the cases, each from the initial state. Raises StartFailed, HandlerFailed."""
    results: list[Result] = []
    async with mesh_for_cases(model) as mesh:
        for case in cases:
            # A real model may have changed something although it was not asked to.
            if results and not (model is None and results[-1].passed and results[-1].case.changes_nothing):
                await mesh.reset()
            results.append(await play_case(mesh, case, player_of(case, model)))
    return results


def model_environment(name: str | None, base_url: str | None) -> Mapping[str, str] | None:
    """Return the variables of the endpoint, or None for the demo model. Raises BadCase without a key."""
    if name is None and base_url is None:
        return None
    address = base_url or os.environ.get("OPENAI_BASE_URL")
    chosen_model = name or os.environ.get("SWITCHBOARD_MODEL")
    key = os.environ.get("OPENAI_API_KEY") or (KEY_OF_NO_KEY if address else "")
    if not key:
        raise BadCase("set OPENAI_API_KEY to the key of the model's endpoint")
    named = {"OPENAI_BASE_URL": address, "SWITCHBOARD_MODEL": chosen_model}
    return {"OPENAI_API_KEY": key, **{variable: value for variable, value in named.items() if value}}


def table(results: Sequence[Result]) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("case", "about", "model"):
        grid.add_column(name, overflow="fold")
    for name in ("replies", "tokens", "cached", "s"):
        grid.add_column(name, justify="right")
    grid.add_column("result")
    for one in results:
        verdict = "[green]passed[/]" if one.passed else "[red]FAILED[/]"
        counted = (str(one.replies), f"{one.tokens:,}", f"{one.cached:,}", f"{one.seconds:.1f}")
        grid.add_row(one.case.name, one.case.about, one.player, *counted, verdict)
    return grid


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.cases", description=__doc__)
    parser.add_argument("--model", help="the model's name at its endpoint (default: the demo model)")
    parser.add_argument("--base-url", help="an OpenAI-compatible endpoint (default: OpenAI's own, with OPENAI_API_KEY)")
    parser.add_argument("case", nargs="*", help="play only these cases")
    given = parser.parse_args(argv)
    out = Console(highlight=False)
    try:
        model = model_environment(given.model, given.base_url)
        cases = chosen(read_cases(), given.case)
        results = asyncio.run(play_all(cases, model))
    except (BadCase, StartFailed, HandlerFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    out.print(table(results))
    for one in results:
        for wrong in one.wrong:
            out.print(f"{one.case.name}: {wrong}", style="red", markup=False, soft_wrap=True)
    passed = sum(one.passed for one in results)
    out.print(f"{passed} of {len(results)} passed")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
