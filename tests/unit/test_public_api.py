"""The public API of the framework. Removing a name breaks the meshes of users."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import switchboard

PUBLIC = {
    "Agent",
    "Caller",
    "ClientCredentials",
    "FromIdentity",
    "Line",
    "McpServer",
    "McpTool",
    "McpTools",
    "Name",
    "NoInput",
    "Paragraph",
    "PersonalInput",
    "Refusal",
    "Resolved",
    "Saga",
    "Sessions",
    "Text",
    "Tool",
    "ToolInput",
    "Toolset",
    "WireModel",
    "allowed",
    "business_now",
    "call_tool",
    "checks",
    "implements",
    "last_word",
    "notify_customer",
    "quoted",
    "send_tool",
    "serve",
    "tool_object",
    "tool_service",
    "tool_workflow",
}

BASE_ONLY = """
import sys
class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"{{name}} must not be imported here")
sys.meta_path.insert(0, Refuser())
{code}
"""

EXTRAS = {
    "fastapi",
    "cryptography",
    "starlette",
    "yaml",
    "rich",
    "typer",
    "psutil",
    "pytest",
    "watchfiles",
    "mcp",
    "jsonschema",
}
"""Packages that pyproject.toml lists as extras: for the gateway, the command line, the tests and the demo model."""

SERVER_PACKAGES = {"restate", "aiohttp", "openai", "granian", "prometheus_client", "opentelemetry", "uvloop"}
"""Packages that only a process that serves or calls something needs."""


def import_without(names: set[str], code: str) -> None:
    """Run the code in a new interpreter where these packages cannot be imported."""
    program = BASE_ONLY.format(names=sorted(names), code=code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_public_api_has_exactly_these_names() -> None:
    assert set(switchboard.__all__) == PUBLIC
    assert len(switchboard.__all__) == len(PUBLIC)
    assert set(dir(switchboard)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_can_be_imported_and_has_a_docstring(name: str) -> None:
    assert getattr(switchboard, name).__doc__


def test_lazy_imports_match_the_imports_for_type_checkers() -> None:
    tree = ast.parse(Path(switchboard.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == switchboard.LAZY_IMPORTS


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'switchboard' has no attribute 'serve_agent'"):
        _ = switchboard.serve_agent


def test_declarations_import_without_server_packages() -> None:
    declarations = "Agent, FromIdentity, NoInput, PersonalInput, Text, Tool, ToolInput, WireModel"
    import_without(SERVER_PACKAGES | EXTRAS, f"from switchboard import {declarations}")


def test_public_names_import_without_extras() -> None:
    import_without(EXTRAS, "from switchboard import *")
