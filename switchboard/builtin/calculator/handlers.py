"""Serve the calculator, so that models do not have to do arithmetic themselves."""

import restate

from switchboard.builtin.calculator.arithmetic import InvalidExpression, value
from switchboard.builtin.calculator.contract import CALCULATE, Calculate
from switchboard.contract import Text
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.implement import implements

BAD_REQUEST = 400

calculator = tool_service(CALCULATE.service, "Arithmetic, exact to cents.")


@implements(calculator, CALCULATE)
async def calculate(_ctx: restate.Context, request: Calculate) -> Text:
    """Return the value of an expression. 400, with the reason, if it is invalid."""
    try:
        return Text(value(request.expression))
    except InvalidExpression as error:
        raise restate.TerminalError(f"Cannot calculate this: {error}.", status_code=BAD_REQUEST) from error
