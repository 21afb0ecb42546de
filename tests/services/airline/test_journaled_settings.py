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

ANSWERS_OTHERWISE = {"airline_settings", "airline_clock", "read_moment"}
"""Those that do after a deploy with other settings."""

DATA_SET = "data"
"""The data set that the composition root hands to the builders of the services; another deploy may hand in another."""

OUTSIDE_OF_THE_JOURNAL = {
    "airline/customers/handlers.py:profile_of": "the last thing that is read, it decides nothing but the answer",
    "airline/records/handlers.py:dump": "Restate's address, for the inside of a run, and the data set at the very end",
    "airline/flights/handlers.py:list_all_airports": "there is nothing else in its journal",
}


def takes_the_context(call: ast.Call) -> bool:
    """Whether it is a step of the context, or a function that gets the context."""
    return "ctx" in (ast.unparse(call.func).partition(".")[0], *map(ast.unparse, call.args))


def reads_the_data_set(handler: ast.AsyncFunctionDef) -> bool:
    """Whether it does more with the data set than to give it to a journaled step, or on with its context."""
    calls = [one for one in ast.walk(handler) if isinstance(one, ast.Call) and takes_the_context(one)]
    handed_on = [arg for call in calls for arg in call.args]
    names = [one for one in ast.walk(handler) if isinstance(one, ast.Name) and one.id == DATA_SET]
    return any(name not in handed_on for name in names)


def asks_otherwise(handler: ast.AsyncFunctionDef) -> bool:
    called = (one.func for one in ast.walk(handler) if isinstance(one, ast.Call))
    return any(isinstance(one, ast.Name) and one.id in ANSWERS_OTHERWISE for one in called)


def readers() -> Iterator[str]:
    """Handlers, and what they hand their context on to, that ask settings, clock or data set themselves."""
    for path in (TOOLS / "airline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.AsyncFunctionDef) or not any("ctx" in one.arg for one in node.args.args):
                continue
            if asks_otherwise(node) or reads_the_data_set(node):
                yield f"{path.relative_to(TOOLS).as_posix()}:{node.name}"


def test_no_handler_asks_settings_clock_or_data_set_outside_of_its_journal() -> None:
    assert set(readers()) == set(OUTSIDE_OF_THE_JOURNAL)


def test_the_ids_of_certificates_are_those_that_the_request_names() -> None:
    assert tuple(certificate_ids(random.Random(1), "benchmark"))[:3] == BENCHMARK_CERTIFICATES
    assert not set(certificate_ids(random.Random(1), "random")) & set(BENCHMARK_CERTIFICATES)
