"""That the bank's rules have one source: the code refers to no other, keeps all of them, and the page shows them."""

import re
from pathlib import Path

import pytest

from services.bank.agent import bank
from services.tools.bank.rules import RULES, Rule

ROOT = Path(__file__).resolve().parents[3]
SOURCES = "\n".join(
    path.read_text() for path in (ROOT / "services/tools/bank").rglob("*.py") if path.name != "rules.py"
)
REFUSED_BY = re.compile(r'rule="([A-Z][0-9]{1,2})"|, "([A-Z][0-9]{1,2})"\)')
PAGE = ROOT / "docs" / "reference" / "policy-bank.md"

REFERRED_TO = {first or second for first, second in REFUSED_BY.findall(SOURCES)}

IN_CONTRACTS = {"I1", "T4"}
"""Enforced by the tools' contracts: which inputs a tool accepts, and that its customer must be verified."""


def test_no_two_rules_share_a_number() -> None:
    numbers = [rule.number for rule in RULES]
    assert len(set(numbers)) == len(numbers)


def test_every_refusal_names_a_rule_that_is_written() -> None:
    assert {rule.number for rule in RULES} >= REFERRED_TO


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.number)
def test_a_rule_that_binds_is_kept_by_the_code(rule: Rule) -> None:
    refers = rule.number in REFERRED_TO
    if rule.binding == "course" or rule.number in IN_CONTRACTS:
        return
    assert refers, f"nothing refuses by {rule.number}"


def test_the_agent_is_told_every_rule() -> None:
    assert all(f"- {rule.number}: {rule.text}" in bank.instructions for rule in RULES)


def test_the_page_shows_the_rules_as_they_are() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [A-Z][0-9]", line)]
    assert rows == [f"| {rule.number} | {rule.text} | {rule.binding} |" for rule in RULES]
