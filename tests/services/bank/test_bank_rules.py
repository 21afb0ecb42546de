"""The bank's rules have one source: the code enforces exactly these rules, and the agent and the docs show them."""

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
"""Rules that the tools' contracts enforce: valid inputs, and that the customer must be verified."""


def test_rule_numbers_are_unique() -> None:
    numbers = [rule.number for rule in RULES]
    assert len(set(numbers)) == len(numbers)


def test_refusals_name_only_written_rules() -> None:
    assert {rule.number for rule in RULES} >= REFERRED_TO


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.number)
def test_every_binding_rule_is_enforced_by_the_code(rule: Rule) -> None:
    refers = rule.number in REFERRED_TO
    if rule.binding == "automatic" or rule.number in IN_CONTRACTS:
        return
    assert refers, f"No refusal names rule {rule.number}. Enforce the rule, or mark it as automatic."


def test_agent_instructions_contain_every_rule() -> None:
    assert all(f"- {rule.text}" in bank.instructions for rule in RULES)


def test_docs_page_shows_the_current_rules() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [A-Z][0-9]", line)]
    assert rows == [f"| {rule.number} | {rule.text} | {rule.binding} |" for rule in RULES]
