"""Serves the calculator: a model's sums are done here, not in its head."""

import restate

from switchboard.builtin.calculator.arithmetic import NotArithmetic, value
from switchboard.builtin.calculator.contract import CALCULATE, Calculate
from switchboard.contract import Text
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.implement import implements

BAD_REQUEST = 400

calculator = tool_service(CALCULATE.service, "Arithmetic, exact to cents.")


@implements(calculator, CALCULATE)
async def calculate(_ctx: restate.Context, request: Calculate) -> Text:
    """The value of an expression. 400, with the reason, for what is none."""
    try:
        return Text(value(request.expression))
    except NotArithmetic as error:
        raise restate.TerminalError(f"This cannot be calculated: {error}.", status_code=BAD_REQUEST) from error
