"""The rule that keeps the report of an interrupted call true: a handler that has written awaits nothing else.

A cancellation is raised at an await. If it is raised after a write, the handler ends with an error, and the customer is
told that nothing was done.
"""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from switchboard.contract import Tool
from tests.test_architecture import FILES, ROOT, name_of, parsed

CALLS = {"generic_call", "object_call", "service_call", "workflow_call"}

CALLERS = {
    "switchboard/toolkit/rpc.py": "call_tool, which waits for the last word of a write",
    "switchboard/loop/fanout.py": "the loop, which reports the outcome of each call",
    "switchboard/loop/checks.py": "the loop, which checks a call before the customer is asked",
    "switchboard/loop/foreign.py": "the loop, which asks MCP servers for their tools before it does anything",
    "switchboard/session/customers.py": "the session, which asks for a share of the customer's limits",
    "switchboard/session/hops.py": "the session, which calls agents",
    "switchboard/session/session.py": "`steer`, which sends a message to its own session",
    "switchboard/session/staff_door.py": "the door for staff, which the gateway calls and no turn can cancel",
    "switchboard/session/take_over.py": "a take-over, which asks its own session and which no turn can cancel",
    "switchboard/toolkit/mcp/follow.py": "a call of an MCP tool, which takes its waiting task before it does anything",
    "services/tools/airline/reservations/handlers.py": "a read, which stores the day of the first read",
}
"""Modules that call Restate handlers directly, and why."""

STATE_AND_SENDS = {
    *("set", "clear", "clear_all", "generic_send", "object_send", "service_send", "workflow_send"),
    *("resolve_awakeable", "reject_awakeable"),
}
"""Methods of a context that write."""

WRITING_FUNCTIONS = {"send_tool", "notify_customer"}

WAITING_WRITES = {"write", "book", "call_off"}
"""Methods that write and wait for its last word: those of Database, HttpApi and MoveStore. Their first argument is
the context."""

MAY_AWAIT_AFTER_A_WRITE = {
    "services/tools/bank/loan_applications/workflow.py:refer": "a workflow, which no customer waits for",
    "services/tools/bank/loan_applications/workflow.py:run": "a workflow, which no customer waits for",
    "services/tools/bank/standing_orders/handlers.py:due": "a timer, which no customer waits for",
    "services/tools/bank/transfers/execution.py:transfer": "reports the outcome of finish_interrupted",
    "services/tools/bank/transfers/execution.py:finish_interrupted": "waits for the last word of the settlement",
    "switchboard/builtin/approvals/staff_decision.py:await_staff_decision": "a workflow",
    "switchboard/toolkit/mcp/follow.py:watch": "a timer, which no customer waits for; it returns after the first write",
    "switchboard/toolkit/timers.py:add": "the first write only uses up a number",
    "switchboard/toolkit/timers.py:start": "a timer without an entry does nothing",
}
"""Functions that the rule does not fit, and why the customer is told the truth nevertheless."""

HANDLERS = [
    path
    for path in FILES
    if name_of(path).startswith(("services/tools/", "switchboard/builtin/", "switchboard/toolkit/", "examples/"))
    and path.name != "__main__.py"
]


def called_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_method_of_context(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("ctx", "self.ctx")


def called_tool(path: Path, call: ast.Call) -> Tool | None:  # type: ignore[type-arg]
    """Return the tool that a `call_tool` calls; None for other calls, and for a tool that is a parameter."""
    if called_name(call) != "call_tool" or len(call.args) < 2:
        return None
    module = import_module(name_of(path).removesuffix(".py").replace("/", "."))
    found: object = module
    for part in ast.unparse(call.args[1]).split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, Tool) else None


def is_waiting_write(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return called_name(call) in WAITING_WRITES and isinstance(first, ast.Name) and first.id == "ctx"


def is_write(path: Path, call: ast.Call, writers: set[str]) -> bool:
    tool = called_tool(path, call)
    if tool is not None:
        return not tool.read_only
    if is_waiting_write(call):
        return True
    name = called_name(call)
    return (is_method_of_context(call) and name in STATE_AND_SENDS) or name in WRITING_FUNCTIONS | writers


def awaits_last_word(path: Path, node: ast.Await) -> bool:
    """Return whether this await waits for the outcome of a write, whatever is cancelled meanwhile."""
    if not isinstance(node.value, ast.Call):
        return False
    tool = called_tool(path, node.value)
    return (
        called_name(node.value) == "last_word"
        or is_waiting_write(node.value)
        or (tool is not None and not tool.read_only)
    )


def functions(path: Path) -> Iterator[ast.AsyncFunctionDef | ast.FunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            yield node


def own_nodes(function: ast.AsyncFunctionDef | ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def writing_functions(path: Path) -> set[str]:
    """Return the module's functions that write, also those that call another one of them."""
    found: set[str] = set()
    for _ in functions(path):
        found = {
            function.name
            for function in functions(path)
            for node in own_nodes(function)
            if isinstance(node, ast.Call) and is_write(path, node, found)
        }
    return found


def first_late_await(path: Path, function: ast.AsyncFunctionDef, writers: set[str]) -> int | None:
    """Return the line of the first await behind a write, if there is one."""
    nodes = list(own_nodes(function))
    writes = [node.end_lineno or 0 for node in nodes if isinstance(node, ast.Call) and is_write(path, node, writers)]
    late = [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Await) and writes and node.lineno > min(writes) and not awaits_last_word(path, node)
    ]
    return min(late, default=None)


@pytest.mark.parametrize("path", [path for path in HANDLERS if "await " in path.read_text("utf-8")], ids=name_of)
def test_handler_awaits_nothing_that_can_be_cancelled_after_a_write(path: Path) -> None:
    writers = writing_functions(path)
    late = {
        f"{name_of(path)}:{function.name}": line
        for function in functions(path)
        if isinstance(function, ast.AsyncFunctionDef)
        and (line := first_late_await(path, function, writers)) is not None
    }
    excepted = {name for name in MAY_AWAIT_AFTER_A_WRITE if name.startswith(f"{name_of(path)}:")}
    assert late.keys() == excepted, "move the await before the write, or make the write a step of a Saga"


def test_only_the_toolkit_calls_other_components() -> None:
    """Everything else uses `call_tool` or a Saga."""
    callers = {
        name_of(path)
        for path in FILES
        if name_of(path).startswith(("services/", "switchboard/", "examples/")) and path.is_relative_to(ROOT)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and called_name(node) in CALLS
    }
    assert callers == CALLERS.keys()
