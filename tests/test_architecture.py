"""Architecture rules that import-linter and ruff cannot check. For the others, see pyproject.toml."""

import ast
import gc
import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("switchboard", "services", "bench", "evals", "scripts", "tests")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

LOCAL_PACKAGES = ("switchboard/cli/", "switchboard/local/", "switchboard/testing/")
"""Packages that run in a terminal and start processes with their own environment."""


@cache
def parsed(path: Path) -> ast.Module:
    # A garbage collection during ast.parse can make CPython 3.11 raise SystemError (python/cpython#106905).
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_module_has_a_docstring() -> None:
    without = [name_of(path) for path in FILES if path.stat().st_size and not ast.get_docstring(parsed(path))]
    assert without == []


def test_test_files_outside_of_packages_have_different_names() -> None:
    """Pytest imports them by their names alone, and refuses to import a second one of the same name."""
    found = [path for path in FILES if path.name.startswith("test_") and not (path.parent / "__init__.py").exists()]
    names = Counter(path.name for path in found)
    assert sorted(name_of(path) for path in found if names[path.name] > 1) == []


def test_framework_does_not_mention_bank_or_airline() -> None:
    """These are domains of the reference mesh. The framework must fit every domain."""
    mentions = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in (ROOT / "switchboard").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"bank|airline", line, re.IGNORECASE)
    ]
    assert mentions == []


def test_environment_is_read_only_in_settings() -> None:
    readers = [
        name_of(path)
        for path in FILES
        if name_of(path).startswith(("switchboard/", "services/"))
        and not name_of(path).startswith(LOCAL_PACKAGES)
        and path.name != "settings.py"
        and ("os.environ" in path.read_text(encoding="utf-8") or "os.getenv" in path.read_text())
    ]
    assert readers == []


def test_no_loop_is_infinite() -> None:
    infinite = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        if name_of(path).startswith(("switchboard/", "services/"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant)
    ]
    assert infinite == []


def test_framework_names_the_encoding_of_every_text_file() -> None:
    """The default encoding depends on the machine's locale."""
    unnamed = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        if name_of(path).startswith("switchboard/")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("read_text", "write_text")
        and "encoding" not in {keyword.arg for keyword in node.keywords}
    ]
    assert unnamed == []


def test_contracts_import_nothing_while_an_input_is_validated() -> None:
    """An import that fails half way, for want of files, can leave a package incomplete until the process ends."""
    contracts = [path for path in FILES if path.name == "contract.py" and "tests" not in path.parts]
    late = [
        f"{name_of(path)}: {function.name}"
        for path in contracts
        for function in ast.walk(parsed(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    ]
    assert len(contracts) > 1
    assert late == []
