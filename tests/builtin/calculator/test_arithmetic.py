"""Arithmetic expressions: results and invalid input."""

import pytest

from switchboard.builtin.calculator.arithmetic import InvalidExpression, value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 * ((350 - 122) + (499 - 127))", "1200.0"),
        ("0.1 + 0.2", "0.3"),
        ("10 / 3", "3.33"),
        ("-3 - -4", "1.0"),
        ("2+3*4", "14.0"),
        ("(2+3)*4", "20.0"),
        ("100 - 10 - 1", "89.0"),
        ("8 / 4 / 2", "1.0"),
        (" .5 * 3. ", "1.5"),
        ("1625 * 3", "4875.0"),
    ],
)
def test_expression_is_evaluated_exactly_to_cents(expression: str, expected: str) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    ["", "2 +", "(2", "2)", "2 2", "1 / 0", "1 // 2", "2 ** 9", "__import__('os')", "x", "()", "(" * 200, "- " * 200],
)
def test_invalid_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidExpression):
        value(expression)
