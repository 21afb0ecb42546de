"""Every shell command that the documentation shows is known to a test, or is marked as not run."""

import re

import pytest

from tests.docs.commands import SHELL, commands, problem
from tests.docs.pages import ROOT, Block, blocks, pages

BLOCKS = [block for page in pages("README.md", "CONTRIBUTING.md") for block in blocks(page) if block.language in SHELL]


@pytest.mark.parametrize("block", BLOCKS, ids=[f"{block.page}-{number}" for number, block in enumerate(BLOCKS)])
def test_commands_of_block_exist(block: Block) -> None:
    if block.mark is not None and block.mark[0] == "run by":
        assert (ROOT / block.mark[1]).exists()
    found = [problem(command, block.mark is not None) for command in commands(block)]
    assert [each for each in found if each] == []


def test_blocks_are_found() -> None:
    assert len(BLOCKS) > 30


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("switchboard ask --loud hello", "switchboard ask has no option --loud"),
        ("switchboard approvals forget", "switchboard has no command approvals forget"),
        ("make everything", "make has no target everything"),
        ("python -m evals.nothing", "python -m evals.nothing: there is no such module"),
        ("python -m bench --slow", "python -m bench has no option --slow"),
        ("helm upgrade mesh deploy/helm/nothing", "helm: there is no deploy/helm/nothing"),
        ("PORT=9090 switchboard up --observe", None),
        ('curl -H "Bearer $(switchboard key)" localhost', "switchboard has no command key"),
    ],
)
def test_checker_finds_wrong_commands(line: str, expected: str | None) -> None:
    block = Block("", "sh", line + "\n", None)
    found = [problem(command, marked=True) for command in commands(block)]
    assert next((each for each in found if each), None) == expected


def test_unknown_program_needs_a_mark() -> None:
    assert "not run" in str(problem(["kubectl", "get", "pods"], marked=False))


def test_no_text_forwards_restates_ingress() -> None:
    """A web page in the same browser could reach a forwarded ingress. People forward the gateway instead."""
    forwarding = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "deploy").rglob("*"),
            ROOT / "Tiltfile",
        ]
        if path.is_file()
        for line in path.read_text(encoding="utf-8", errors="ignore").splitlines()
        if re.search(r"8080:8080|port-forward\S* \S*svc/restate .*8080", line)
    ]
    assert forwarding == []
