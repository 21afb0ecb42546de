"""The rules in words: numbered once, told to the agent, and described in docs/reference/policy-airline.md."""

from pathlib import Path

from services.tools.airline.rules import POLICY, RULES, Rule, policy_text
from tests.services.airline.reservations.test_policy import functions_by_rule

DOCS = Path(__file__).resolve().parents[4] / "docs" / "reference" / "policy-airline.md"


def rows() -> list[list[str]]:
    """The cells of the tables of rules."""
    lines = DOCS.read_text().partition("## The rules")[2].partition("## What it refuses")[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in table if row[0] != "Rule"]


def all_rules() -> list[Rule]:
    return [rule for chapter in POLICY for rule in chapter.rules]


def test_a_number_is_given_once() -> None:
    assert len(RULES) == len(all_rules())


def test_the_agent_is_told_every_rule_with_its_number() -> None:
    lines = policy_text().splitlines()
    assert all(f"{rule.number} {rule.text}" in lines for rule in all_rules())


def test_the_document_tells_the_rules_as_they_are() -> None:
    assert [row[:3] for row in rows()] == [[rule.number, rule.text, rule.kept_by] for rule in all_rules()]


def test_the_document_names_the_functions_that_keep_a_rule() -> None:
    by_rule = functions_by_rule()
    told = {row[0]: row[3] for row in rows() if row[2] == "policy"}
    assert told == {number: ", ".join(f"`{name}`" for name in by_rule[number]) for number in told}
