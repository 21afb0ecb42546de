"""Steps that are done all or undone all, whatever fails, crashes or is cancelled in between."""

import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import restate
from pydantic import BaseModel

from switchboard.contract import Tool
from switchboard.telemetry.logs import private
from switchboard.toolkit.rpc import read, start, tell

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

Send = Callable[[], None]

logger = logging.getLogger(__name__)


class Saga:
    """Makes durable calls one after the other, and remembers how each is undone and what settles it.

    As a context manager it undoes its steps when one is refused, or when the handler is cancelled. A crash needs
    nothing of this: the journal goes on where it was. `name` is for the log. `otherwise` is what the customer is told
    after the reason of a step that was refused.
    """

    def __init__(self, ctx: restate.Context, name: str, otherwise: str = "") -> None:
        self.ctx = ctx
        self.name = name
        self.otherwise = otherwise
        self._undoings: list[Send] = []
        self._settlings: list[Send] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, restate.TerminalError):
            logger.info("%s is undone: %s", self.name, private(error.message))
            self.undo()

    def undo_by(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
        """Register how the next step is undone, before the step begins.

        Whether an interrupted step was done is not known, so the undoing has to do nothing where nothing was done.
        """
        self._undoings.append(partial(tell, self.ctx, tool, request, key))

    def settle_by(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
        """Register what a step is sent when the saga has succeeded: it may forget how to undo."""
        self._settlings.append(partial(tell, self.ctx, tool, request, key))

    async def step(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
        """Call a tool. Raises TerminalError when it refuses, with `otherwise` added, or when we are cancelled."""
        call = start(self.ctx, tool, request, key)
        # Our own cancellation surfaces here, outside the `except`; only the tool's refusal is reworded below.
        await restate.gather(call)
        try:
            return await read(tool, call)
        except restate.TerminalError as refused:
            if not self.otherwise:
                raise
            raise restate.TerminalError(f"{refused.message} {self.otherwise}", refused.status_code) from refused

    def undo(self) -> None:
        """Undo all steps, the last one first.

        Each object takes its messages in the order in which they were sent, so an undoing comes after its step even
        when that still runs. And they are sent, not called: a second cancellation would reach into calls.
        """
        for undoing in reversed(self._undoings):
            undoing()

    def settle(self) -> None:
        """Settle all steps; the saga has succeeded."""
        for settling in self._settlings:
            settling()
