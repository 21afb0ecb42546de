"""Pages that repeat what code and other pages say: the command line, decisions, settings and the demo."""

import re
from datetime import date
from pathlib import Path

import pytest

from scripts import cli_reference, provider_table
from services.demo import SCENES
from switchboard.testing.scenes import Says, pattern
from tests.docs.pages import ROOT, name_of, pages

DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))
ROW = re.compile(r"^\| (\d+) \| \[(.+)\]\((.+)\) \| (\d{4}-\d\d-\d\d) \| (\w+) \|$", re.M)


def test_cli_page_equals_the_commands_help() -> None:
    assert cli_reference.page() == cli_reference.PAGE.read_text(), "`make reference` writes it"


def test_page_of_providers_lists_every_provider() -> None:
    text = provider_table.PAGE.read_text()
    assert provider_table.page(text) == text, "`make reference` writes it"


@pytest.mark.parametrize("decision", DECISIONS, ids=name_of)
def test_decision_is_in_the_index_with_its_date_and_status(decision: Path) -> None:
    heading, _, date_line = decision.read_text().splitlines()[:3]
    number, _, title = heading.removeprefix("# ").partition(". ")
    found = re.fullmatch(r"\*Date: (\d{4}-\d\d-\d\d)\. Status: (\w+)\.\*", date_line)
    assert found is not None
    assert int(number) == int(decision.name[:4])
    rows = {row[2]: row for row in ROW.findall((ROOT / "docs/decisions/index.md").read_text())}
    assert rows[decision.name] == (number, title, decision.name, found[1], found[2])


def test_index_lists_no_other_decisions() -> None:
    rows = ROW.findall((ROOT / "docs/decisions/index.md").read_text())
    assert [row[2] for row in rows] == [decision.name for decision in DECISIONS]


def test_configuration_page_lists_every_setting() -> None:
    """Each environment variable that a settings class reads is a row of the page, and the other way round."""
    page = (ROOT / "docs/reference/configuration.md").read_text()
    listed = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", page, re.M))
    sources = [path for folder in ("switchboard", "services") for path in (ROOT / folder).rglob("settings.py")]
    read = {
        name
        for path in sources
        if "demo_model" not in path.parts
        for name in re.findall(r'validation_alias="([A-Z][A-Z0-9_]+)"', path.read_text())
    }
    assert len(read) > 30
    assert listed == read


def test_http_page_lists_every_error_code_of_the_gateway() -> None:
    """Codes are written at `Problem(status, code, …)` or in the table CODES."""
    sources = "\n".join(path.read_text() for path in (ROOT / "switchboard/gateway").glob("*.py"))
    codes = {*re.findall(r'Problem\(\s*\d{3}, "(\w+)"', sources), *re.findall(r'\b4\d\d: "([a-z_]+)"', sources)}
    codes |= set(re.findall(r'\b(?:4|5)\d\d, "([a-z_]+)"', sources))
    assert len(codes) > 15
    page = (ROOT / "docs/reference/http-api.md").read_text()
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


def test_limits_name_files_that_exist() -> None:
    limits = (ROOT / "docs/reference/configuration.md").read_text().partition("## Limits")[2]
    places = re.findall(r"\| `([\w/.]+)` \|$", limits, re.M)
    assert len(places) > 20
    assert [place for place in places if not (ROOT / place).exists()] == []


CONVERSATION = re.compile(r"^\| (?:\([^)]+\) )?(.+?) \| [^|]*?(\w+) \| (.+?) \|$", re.M)
RECORDED_ON = date(2026, 11, 29)


def test_conversations_of_the_first_page_are_those_of_the_demo() -> None:
    """Each row has a message of the demo, the agent that answers, and a reply that the demo accepts."""
    table = (ROOT / "docs/start/index.md").read_text().partition("| customer | agent | reply |\n|---|---|---|\n")[2]
    rows = CONVERSATION.findall(table.partition("\n\n")[0] + "\n")
    assert len(rows) > 10
    says = [each for scene in SCENES for each in scene.says]
    for message, agent, shown in rows:
        reply = shown.replace("\\", "")
        text = message.rpartition(" · ")[2]
        assert any(each.text == text and each.agent == agent and accepts(each, reply) for each in says), message


def accepts(expected: Says, reply: str) -> bool:
    """Return whether the demo accepts a reply; one that the page cuts short counts as accepted."""
    wanted = [pattern(written, RECORDED_ON) for written in expected.reply]
    return reply.endswith("…") or all(re.search(each, reply) for each in wanted)


NAMED_FILE = re.compile(
    r"`((?:bench|deploy|docs|evals|examples|requirements|scripts|services|switchboard|tests)/[\w/.-]+)`"
)
FILES_OF_THE_READER = {"services/status/__init__.py", "tests/test_shop.py"}


def test_files_that_the_documentation_names_exist() -> None:
    found = pages("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
    named = {name for page in found for name in NAMED_FILE.findall(page.read_text())}
    assert len(named) > 60
    assert sorted(name for name in named - FILES_OF_THE_READER if not (ROOT / name).exists()) == []
