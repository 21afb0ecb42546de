"""The rules that keep the project readable: who may import whom, how long things may get, one word one meaning."""

import ast
import gc
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("switchboard", "services", "cli", "bench", "evals", "scripts", "tests")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

FILE_MAX_LINES = 400
FUNCTION_MAX_LINES = 70
LOOP_MAX_LINES = 1_750
"""switchboard/ but for its telemetry: the loop has to stay something that one reads in an evening."""

TELEMETRY_MAX_LINES = 800

NO_EFFECTS = {"restate", "os", "time", "uuid", "random", "socket", "asyncio", "subprocess", "aiohttp", "openai"}
"""What a file of values and pure functions has no business with."""

PURE = {
    "switchboard/agent.py",
    "switchboard/contract.py",
    "switchboard/loop/decide.py",
    "switchboard/messages.py",
    "switchboard/session/window.py",
    "switchboard/session/contract.py",
    "services/tools/bank/amortisation.py",
    "services/tools/bank/rules.py",
    "services/tools/airline/data/records.py",
    "services/tools/airline/reservations/compensation.py",
    "services/tools/airline/reservations/paying.py",
    "services/tools/airline/reservations/prices.py",
    "services/tools/airline/reservations/travel.py",
}

RULES = ("services.tools.bank.rules",)
"""Written policies, made of the contracts' figures: agents tell them, so they cross folders as contracts do."""

SESSIONS = ("gateway", "switchboard.session.contract")
"""The gateway speaks to the sessions as an agent does to a tool: over the wire, in the words of their contract."""

GUARD = "switchboard.toolkit.verified_customers"
"""The door of every tool that is a customer's own; the one part of a domain that others may use beside its contract."""


@cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree."""
    # Collecting garbage in the middle of ast.parse can make CPython 3.11 raise SystemError (python/cpython#106905).
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, in full."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_pure(name: str) -> bool:
    return name in PURE or name.endswith(("/policy.py", "/contract.py"))


def violations(path: Path) -> Iterator[str]:
    """What a file imports and should not, each with the rule."""
    name = name_of(path)
    parts = name.split("/")
    for module in imports(path):
        if is_pure(name) and module.split(".")[0] in NO_EFFECTS:
            yield f"{name} imports {module}: it is pure, it neither waits nor acts"
        if name.startswith("switchboard/") and module.startswith(("services", "cli")):
            yield f"{name} imports {module}: the loop knows no service"
        if name.startswith("services/") and module.startswith("cli"):
            yield f"{name} imports {module}: services know no command line"
        if name.startswith("services/") and module == "switchboard.testing.scripted_model":
            yield f"{name} imports {module}: it is for tests"
        measured = name.startswith(("switchboard/", "services/", "cli/"))
        if measured and module.split(".")[0] in ("evals", "bench", "tests"):
            yield f"{name} imports {module}: what runs knows nothing of what measures it"
        if name.startswith("evals/") and module.startswith(("services.", "tests")) and not is_declared(module):
            yield f"{name} imports {module}: evaluations know contracts and agents' declarations, and act over the wire"
        outside_of_tests = name.startswith(("switchboard/", "services/", "cli/"))
        if module.split(".")[0] == "openai" and outside_of_tests and name != "switchboard/models/responses.py":
            yield f"{name} imports {module}: model.py is the only door to the model"
        if name.startswith("services/") and module.startswith("services."):
            target = module.split(".")
            same_service = target[1] == parts[1]
            crosses = is_contract_name(module) or module.startswith(RULES) or is_sessions_contract(parts[1], module)
            if not same_service and not crosses:
                yield f"{name} imports {module}: only a contract.py crosses folders"
            if same_service and parts[1] == "tools" and crosses_domains(parts, target):
                yield f"{name} imports {module}: of another domain only its contract.py may be known"
        if name == "switchboard/session/session.py" and module.startswith("switchboard.loop.turn"):
            yield f"{name} imports {module}: the session asks by RPC"


def is_contract_name(module: str) -> bool:
    """`services.tools.bank.loans.contract.LIST_LOANS` as well as its module."""
    return module.startswith("services.tools.") and "contract" in module.split(".")[3:4]


def is_sessions_contract(service: str, module: str) -> bool:
    """For the gateway: the sessions' contract, as well as what stands in it."""
    who, contract = SESSIONS
    return service == who and (module == contract or module.startswith(f"{contract}."))


def is_declared(module: str) -> bool:
    """A contract of tools or sessions, or an agent's declaration, as well as what stands in it."""
    return is_contract_name(module) or re.match(r"services\.\w+\.(agent|contract)\b", module) is not None


def crosses_domains(parts: list[str], target: list[str]) -> bool:
    """From one domain of the tools into another one, other than through its contract."""
    inside_a_domain = len(parts) > 3
    shared = set(
        "airline_data amortisation call clock dates demo_data journaled judge refusal saga settings"
        " staff_decision".split()
    )
    return (
        inside_a_domain
        and len(target) > 2
        and target[2] not in (parts[2], *shared)
        and "contract" not in target[3:4]
        and not ".".join(target).startswith(GUARD)
        and len(target) > 3
    )


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    assert list(violations(path)) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= FILE_MAX_LINES, f"{name_of(path)} is longer than {FILE_MAX_LINES} lines"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_MAX_LINES, f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines"


@pytest.mark.parametrize("path", [path for path in FILES if path.stat().st_size], ids=name_of)
def test_a_module_says_what_it_may_do(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), f"{name_of(path)} has no docstring"


def test_the_loop_stays_small() -> None:
    lines = {name_of(path): path.read_text().count("\n") for path in FILES if name_of(path).startswith("switchboard/")}
    telemetry = sum(count for name, count in lines.items() if name.startswith("switchboard/telemetry/"))
    assert sum(lines.values()) - telemetry <= LOOP_MAX_LINES
    assert telemetry <= TELEMETRY_MAX_LINES


def test_the_environment_is_read_in_settings_only() -> None:
    readers = [
        name_of(path)
        for path in FILES
        if name_of(path).startswith(("switchboard/", "services/"))
        and path.name not in ("settings.py", "testing.py")
        and ("os.environ" in path.read_text() or "os.getenv" in path.read_text())
    ]
    assert readers == []


def test_no_loop_is_endless() -> None:
    endless = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        if name_of(path).startswith(("switchboard/", "services/"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant)
    ]
    assert endless == []
