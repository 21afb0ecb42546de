"""Handlers get the records of their customers from the composition root; no module keeps any for itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import services.tools

TOOLS = Path(services.tools.__file__).parent
FILES = sorted(TOOLS.rglob("*.py"))

WRITES_THE_DEMO = "migrate.py"
"""Writes the demo data into a database, at its user's command. No service imports it."""

COMPOSITION_ROOT = "__main__.py"

DEMO_DATA = "services.tools.bank.data"
READS_THE_DATA_SET = "services.tools.airline.data.dataset.data_set"


def name_of(path: Path) -> str:
    return path.relative_to(TOOLS).as_posix()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def cached_without_arguments(path: Path) -> Iterator[str]:
    """Functions whose first call decides what all later ones return: a global by another name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and not node.args.args and "cache" in decorators(node):
            yield f"{name_of(path)}:{node.name}"


def decorators(function: ast.FunctionDef) -> set[str]:
    """Their names, without module and arguments."""
    written = (ast.unparse(decorator).partition("(")[0] for decorator in function.decorator_list)
    return {name.rpartition(".")[2].removeprefix("lru_") for name in written}


def test_only_the_composition_root_knows_the_demo_data() -> None:
    readers = {
        name_of(path)
        for path in FILES
        if not name_of(path).startswith("bank/data/")
        and any(module.startswith(DEMO_DATA) or module == READS_THE_DATA_SET for module in imports(path))
    }
    assert readers == {COMPOSITION_ROOT, WRITES_THE_DEMO}


def test_no_service_imports_the_command_that_writes_the_demo() -> None:
    assert not [path for path in FILES if any("services.tools.migrate" in module for module in imports(path))]


def test_nothing_but_settings_is_cached_for_the_whole_process() -> None:
    cached = [found for path in FILES if path.name != "settings.py" for found in cached_without_arguments(path)]
    assert cached == []
