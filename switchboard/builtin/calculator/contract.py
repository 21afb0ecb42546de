"""The contract of the calculator: evaluate an arithmetic expression. Agents import only this module."""

from typing import Annotated

from pydantic import Field

from switchboard import Tool, ToolInput
from switchboard.contract import Text
from switchboard.text import PlainText

EXPRESSION_MAX_CHARS = 500


class Calculate(ToolInput):
    expression: Annotated[str, PlainText(EXPRESSION_MAX_CHARS, min_chars=1)] = Field(
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
