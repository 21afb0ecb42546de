"""Rule numbers are removed from a text in parts as they are from the whole text."""

from hypothesis import example, given
from hypothesis import strategies as st

from switchboard.rule_numbers import RuleFilter, without_rule

SPLIT = "(ru(rule B1)le X2)"
"""The removal of one number makes the text of another one, which stays."""

PIECES = st.sampled_from(
    [" ", "\n", "(", "(rule ", "(RULE", "rule ", "B", "12", ")", " (rule B1)", "(rule x9)", "text", SPLIT]
)


@example(SPLIT, [16])
@given(st.lists(PIECES | st.characters(), max_size=20).map("".join), st.lists(st.integers(1, 5)))
def test_parts_are_filtered_as_the_whole_text(text: str, sizes: list[int]) -> None:
    rules, shown, at = RuleFilter(), "", 0
    for size in [*sizes, len(text) + 1]:
        shown += rules.push(text[at : at + size])
        at += size

    assert shown + rules.rest() == without_rule(text)


@given(st.lists(st.sampled_from("abc ,."), min_size=1).map("".join))
def test_text_without_marks_is_held_back_only_for_blanks(text: str) -> None:
    assert RuleFilter().push(text) == text.rstrip()


def test_a_million_blanks_are_filtered_at_once() -> None:
    blanks = " " * 1_000_000

    assert without_rule(blanks + "x") == blanks + "x"
    assert RuleFilter().push(blanks) == blanks
