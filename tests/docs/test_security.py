"""Each test that the table of threats names exists."""

import ast
import re

import pytest

from tests.parts import PROJECT

TABLE = (PROJECT / "docs/operate/security.md").read_text().partition("## Threats, controls and tests")[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TABLE.partition("\n## ")[0])
ROWS = [line for line in TABLE.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_named_test_exists(file: str, test: str) -> None:
    tree = ast.parse((PROJECT / file).read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert test in functions


def test_each_threat_names_a_test() -> None:
    assert len(ROWS) > 12
    assert [row for row in ROWS if not re.search(r"`tests/[\w/]+\.py::\w+`", row)] == []
