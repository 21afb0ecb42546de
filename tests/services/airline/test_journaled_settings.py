"""What the airline's settings, clock and data set say reaches a handler through its journal, or decides nothing there.

`tests/chaos/test_bookings.py` shows it with bookings under way.
"""

import ast
import random
from collections.abc import Iterator
from pathlib import Path

from services.tools.airline.customers.handlers import certificate_ids
from services.tools.airline.customers.profile import BENCHMARK_CERTIFICATES
from services.tools.airline.data import dataset

TOOLS = Path(dataset.__file__).parents[2]

ANSWERS_OTHERWISE = {"airline", "airline_settings", "airline_clock", "read_moment"}
"""Those that do after a deploy with other settings."""

OUTSIDE_OF_THE_JOURNAL = {
    "airline/records/handlers.py:dump": "Restate's address, for the inside of a run, and the data set at the very end",
    "airline/flights/handlers.py:list_all_airports": "there is nothing else in its journal",
}


def readers() -> Iterator[str]:
    """Handlers, and what they hand their context on to, that ask settings, clock or data set themselves."""
    for path in TOOLS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef) and any("ctx" in one.arg for one in node.args.args):
                names = {
                    one.func.id
                    for one in ast.walk(node)
                    if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
                }
                if names & ANSWERS_OTHERWISE:
                    yield f"{path.relative_to(TOOLS).as_posix()}:{node.name}"


def test_no_handler_asks_settings_clock_or_data_set_outside_of_its_journal() -> None:
    assert set(readers()) == set(OUTSIDE_OF_THE_JOURNAL)


def test_the_ids_of_certificates_are_those_that_the_request_names() -> None:
    assert tuple(certificate_ids(random.Random(1), "benchmark"))[:3] == BENCHMARK_CERTIFICATES
    assert not set(certificate_ids(random.Random(1), "random")) & set(BENCHMARK_CERTIFICATES)
