"""Handlers read the airline's settings, clock and data set through their journal, or where it cannot matter.

`tests/chaos/test_bookings.py` checks this with bookings in progress.
"""

import ast
import random
from collections.abc import Iterator
from pathlib import Path

from services.tools.airline.customers.handlers import certificate_ids
from services.tools.airline.customers.profile import BENCHMARK_CERTIFICATES
from services.tools.airline.data import dataset

TOOLS = Path(dataset.__file__).parents[2]

UNSTABLE_FUNCTIONS = {"airline_settings", "airline_clock", "read_clock"}
"""Functions that can return something else after a deploy with other settings."""

DATA_SET = "data"
"""Name of the data set that the composition root passes to the services' builders; it can change with a deploy."""

READS_OUTSIDE_OF_THE_JOURNAL = {
    "airline/customers/handlers.py:profile_of": "read last; affects only the result",
    "airline/record_dump/handlers.py:dump": "Restate's address, used inside a run, and the data set at the very end",
    "airline/flights/handlers.py:list_all_airports": "its journal has no other entries",
}


def takes_the_context(call: ast.Call) -> bool:
    """Return whether the call is a method of the context or gets the context as an argument."""
    return "ctx" in (ast.unparse(call.func).partition(".")[0], *map(ast.unparse, call.args))


def reads_the_data_set(handler: ast.AsyncFunctionDef) -> bool:
    """Return whether the handler uses the data set other than as an argument to a call with the context."""
    calls = [one for one in ast.walk(handler) if isinstance(one, ast.Call) and takes_the_context(one)]
    handed_on = [arg for call in calls for arg in call.args]
    names = [one for one in ast.walk(handler) if isinstance(one, ast.Name) and one.id == DATA_SET]
    return any(name not in handed_on for name in names)


def calls_unstable_function(handler: ast.AsyncFunctionDef) -> bool:
    called = (one.func for one in ast.walk(handler) if isinstance(one, ast.Call))
    return any(isinstance(one, ast.Name) and one.id in UNSTABLE_FUNCTIONS for one in called)


def readers() -> Iterator[str]:
    """Yield handlers and their helpers that read settings, clock or data set themselves."""
    for path in (TOOLS / "airline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.AsyncFunctionDef) or not any("ctx" in one.arg for one in node.args.args):
                continue
            if calls_unstable_function(node) or reads_the_data_set(node):
                yield f"{path.relative_to(TOOLS).as_posix()}:{node.name}"


def test_handlers_read_settings_clock_and_data_set_through_the_journal() -> None:
    assert set(readers()) == set(READS_OUTSIDE_OF_THE_JOURNAL)


def test_certificate_ids_follow_the_sequence_in_the_request() -> None:
    assert tuple(certificate_ids(random.Random(1), "benchmark"))[:3] == BENCHMARK_CERTIFICATES
    assert not set(certificate_ids(random.Random(1), "random")) & set(BENCHMARK_CERTIFICATES)
