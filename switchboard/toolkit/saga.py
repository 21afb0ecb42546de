"""Steps that are done all or undone all, whatever fails, crashes or is cancelled in between."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import restate
from pydantic import BaseModel

from switchboard import Tool
from switchboard.toolkit.rpc import read, start, tell

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

Undoing = Callable[[], None]


class Saga:
    """Makes durable calls one after the other, and remembers how each is undone and what settles it.

    A crash needs nothing of this: the journal goes on where it was. `otherwise` is what the customer is told after the
    reason of a step that was refused.
    """

    def __init__(self, ctx: restate.Context, otherwise: str) -> None:
        self.ctx = ctx
        self.otherwise = otherwise
        self._undoings: list[Undoing] = []
        self._settlings: list[Undoing] = []

    def undo_by(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
        """Say how the next step is undone, before it is begun: whether a step that was cut short has been done is not
        known, so the undoing has to do nothing where nothing was done."""
        self._undoings.append(partial(tell, self.ctx, tool, request, key))

    def settle_by(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
        """Say what a step is told when all stands: it may forget how to undo."""
        self._settlings.append(partial(tell, self.ctx, tool, request, key))

    async def step(self, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
        """Call a tool. Raises TerminalError when it refuses, with `otherwise` added, or when we are cancelled."""
        call = start(self.ctx, tool, request, key)
        # Our own cancellation surfaces here, outside the `except`; only the tool's refusal is reworded below.
        await restate.gather(call)
        try:
            return await read(tool, call)
        except restate.TerminalError as refused:
            raise restate.TerminalError(f"{refused.message} {self.otherwise}", refused.status_code) from refused

    def undo(self) -> None:
        """Undo all steps, the last one first.

        Each object takes its messages in the order in which they were sent, so an undoing comes after its step even
        when that still runs. And they are sent, not called: a second cancellation would reach into calls.
        """
        for undoing in reversed(self._undoings):
            undoing()

    def settle(self) -> None:
        """All steps stand."""
        for settling in self._settlings:
            settling()
