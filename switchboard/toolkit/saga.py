"""Sagas: sequences of durable calls that are undone as a whole if one of them is refused or cancelled."""

import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import restate
from pydantic import BaseModel

from switchboard.contract import Tool
from switchboard.telemetry.logs import private
from switchboard.toolkit.rpc import known_error, read, send_tool, start_call

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

Send = Callable[[], None]

logger = logging.getLogger(__name__)


class Saga:
    """A sequence of tool calls that is undone if a call is refused, or if the handler is cancelled.

    Use it as a context manager: it undoes its steps if the block raises TerminalError. Before each step, register the
    call that undoes it. Crashes and other errors undo nothing, because Restate retries the handler from its journal.

    ```python
    with Saga(ctx, f"purchase {order_id}", "Nothing was bought.") as saga:
        saga.undo_by(RELEASE_STOCK, order)
        await saga.step(RESERVE_STOCK, order)
        saga.undo_by(REFUND, payment, customer_id)
        await saga.step(PAY, payment, customer_id)
    saga.settle()
    ```

    Args:
        ctx: The handler's context.
        name: Name for logs.
        otherwise: Sentence for the customer, appended to the reason of a refused step.
    """

    def __init__(self, ctx: restate.Context, name: str, otherwise: str = "") -> None:
        self.ctx = ctx
        self.name = name
        self.otherwise = otherwise
        self._undo_calls: list[Send] = []
        self._settle_calls: list[Send] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, restate.TerminalError):
            logger.info("%s is undone: %s", self.name, private(error.message))
            self.undo()

    def undo_by(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
        """Register the call that undoes the next step. Call this before the step.

        The undoing call must do nothing if the step was not done: an interrupted step may or may not have been.
        """
        self._undo_calls.append(partial(send_tool, self.ctx, tool, request, key))

    def settle_by(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
        """Register a call to send by `settle`, for example so that a step can discard its undo data."""
        self._settle_calls.append(partial(send_tool, self.ctx, tool, request, key))

    async def step(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
        """Call a tool and return its result.

        Raises TerminalError if the tool refuses, with `otherwise` appended, or if the handler is cancelled.
        """
        call = start_call(self.ctx, tool, request, key)
        # The handler's own cancellation is raised here, outside the `try`, so that its text stays unchanged.
        await restate.gather(call)
        try:
            return await read(tool, call)
        except restate.TerminalError as refused:
            known = known_error(refused)
            if known is refused and not self.otherwise:
                raise
            why = f"{known.message} {self.otherwise}".strip()
            raise restate.TerminalError(why, known.status_code, known.metadata) from refused

    def undo(self) -> None:
        """Send the undoing calls, the last step's first.

        They are sent rather than called, because a second cancellation would cancel calls. A virtual object runs its
        calls in order, so a step that is still running ends before it is undone.
        """
        for send in reversed(self._undo_calls):
            send()

    def settle(self) -> None:
        """Send the calls registered by `settle_by`. Call this when the saga has succeeded."""
        for send in self._settle_calls:
            send()
