"""The contract of the calculator: evaluate an arithmetic expression. Agents import only this module."""

from pydantic import Field

from switchboard import Tool, ToolInput
from switchboard.contract import Text

EXPRESSION_MAX_CHARS = 500


class Calculate(ToolInput):
    expression: str = Field(
        min_length=1,
        max_length=EXPRESSION_MAX_CHARS,
        description="Numbers, + - * / and parentheses",
        examples=["2 * (350 - 122)"],
    )


CALCULATE = Tool(
    service="Calculator",
    handler="calculate",
    purpose="Calculate an arithmetic expression, rounded to cents.",
    input=Calculate,
    output=Text,
    read_only=True,
)
