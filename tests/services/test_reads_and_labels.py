"""Reports to customers leave out tools that change nothing, and name the others in words for customers."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import services
import switchboard.builtin
import switchboard.toolkit
from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard import Tool
from tests.services.wire.discovery import snapshot

READ = re.compile(r"(get|list|search|find)_|calculate|answer")
"""Start of the name of a handler that changes nothing."""

READS_WELL = {"transfer_money"}
"""Handlers whose name with spaces is the label."""


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            yield importlib.import_module(module.name)


def declared_tools() -> dict[tuple[str, str], Tool[Any, Any]]:
    """Return every Tool of the reference mesh by its service and handler."""
    packages = (services, switchboard.builtin, switchboard.toolkit)
    values = [value for package in packages for module in modules(package) for value in vars(module).values()]
    return {(tool.service, tool.handler): tool for tool in values if isinstance(tool, Tool)}


TOOLS = declared_tools()


def test_all_tools_of_the_agents_are_found() -> None:
    assert {tool.name for agent in (airline, bank, triage) for tool in agent.tools} <= {name for _, name in TOOLS}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: f"{tool.service}.{tool.name}")
def test_tool_is_read_only_or_has_label(tool: Tool[Any, Any]) -> None:
    if tool.internal:
        assert not tool.label, "no report names an internal tool"
    elif tool.read_only:
        assert not tool.label, "no report names a tool that changes nothing"
    else:
        assert tool.label
        assert tool.label != tool.handler.replace("_", " ") or tool.handler in READS_WELL
        assert tool.label[0].islower()
        assert tool.label[-1].isalpha()


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: f"{tool.service}.{tool.name}")
def test_tool_named_like_a_read_is_read_only(tool: Tool[Any, Any]) -> None:
    if READ.match(tool.handler):
        assert tool.read_only
    if tool.consent:
        assert not tool.read_only


def test_shared_handlers_of_virtual_objects_are_read_only() -> None:
    shared = {
        (service, handler)
        for service, described in snapshot().items()
        for handler, kind in described["handlers"].items()
        # A shared handler of a workflow may resolve a promise, such as a decision of staff.
        if kind["kind"] == "SHARED" and described["type"] == "VIRTUAL_OBJECT"
    }
    assert ("Accounts", "get_balance") in shared
    assert not {tool.name for key, tool in TOOLS.items() if key in shared and not tool.read_only}
