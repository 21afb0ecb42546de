"""The rules: unique numbers, complete in the agent's instructions, and the same in docs/reference/policy-airline.md."""

from pathlib import Path

from services.tools.airline.rules import POLICY, RULES, Rule, policy_text
from tests.services.airline.reservations.test_policy import functions_by_rule

DOCS = Path(__file__).resolve().parents[4] / "docs" / "reference" / "policy-airline.md"


def rows() -> list[list[str]]:
    """Return the cells of the rule tables."""
    lines = (
        DOCS.read_text().partition("## The rules")[2].partition("## Refusals on recorded conversations")[0].splitlines()
    )
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in table if row[0] != "Rule"]


def all_rules() -> list[Rule]:
    return [rule for chapter in POLICY for rule in chapter.rules]


def test_rule_numbers_are_unique() -> None:
    assert len(RULES) == len(all_rules())


def test_instructions_contain_every_rule() -> None:
    lines = policy_text().splitlines()
    assert all(f"- {rule.text}" in lines for rule in all_rules())


def test_document_has_the_same_rules_as_the_code() -> None:
    assert [row[:3] for row in rows()] == [[rule.number, rule.text, rule.enforced_by] for rule in all_rules()]


def test_document_names_the_functions_that_enforce_a_rule() -> None:
    by_rule = functions_by_rule()
    documented = {row[0]: row[3] for row in rows() if row[2] == "policy"}
    assert documented == {number: ", ".join(f"`{name}`" for name in by_rule[number]) for number in documented}
