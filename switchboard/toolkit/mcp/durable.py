"""One attempt at a call that is made at most once, although Restate repeats what was cut off.

Restate runs an action again if the process ends before the action's result is journaled. So the journal says first that
the call is about to be made, and which process makes it. A repetition in another process then knows that the call may
have been made, and does not make it again. A repetition in the same process, after Restate has suspended or lost the
handler, finds the call that is under way and waits for it.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import restate

from switchboard.toolkit.mcp.outcomes import Outcome
from switchboard.toolkit.rpc import last_word

UNDER_WAY_MAX = 10_000
"""Calls of one process whose outcome is not journaled. The oldest ones are then treated as those of another process."""

INTERRUPT_GRACE = timedelta(milliseconds=400)
"""For a call that writes to end by itself after an interrupt. Shorter than the loop's own patience."""

CUT_OFF = "The process that made the call ended before the answer was recorded"
INTERRUPTED = "It was interrupted"

Work = Callable[[], Awaitable[Outcome]]

TOKEN = restate.RunOptions[str](type_hint=str)
OUTCOME = restate.RunOptions[Outcome](type_hint=Outcome)


@dataclass
class UnderWay:
    """A call that this process makes, independent of the attempt of the handler that began it."""

    work: Work
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    outcome: Outcome | None = None

    async def run(self) -> Outcome:
        with self.scope:
            self.outcome = await self.work()
        return self.outcome or Outcome(kind="lost", text=INTERRUPTED, again=False)


@dataclass
class Calls:
    """The calls of this process that are under way. `process` is the name by which the journal knows it."""

    process: str = field(default_factory=lambda: secrets.token_hex(8))
    tasks: OrderedDict[str, tuple[UnderWay, asyncio.Task[Outcome]]] = field(default_factory=OrderedDict)

    def begin(self, entry: str, work: Work) -> asyncio.Task[Outcome]:
        """Begin a call, or return the one that is under way."""
        if entry not in self.tasks:
            call = UnderWay(work)
            self.tasks[entry] = call, asyncio.create_task(call.run())
            if len(self.tasks) > UNDER_WAY_MAX:
                self.tasks.popitem(last=False)
                # What was begun under the old name, and is not remembered, must not be made again.
                self.process = secrets.token_hex(8)
        return self.tasks[entry][1]

    def stop(self, entry: str, grace: timedelta) -> None:
        """Give up a call after a grace. The server is told so."""
        if entry in self.tasks:
            scope = self.tasks[entry][0].scope
            asyncio.get_running_loop().call_later(grace.total_seconds(), scope.cancel)

    def forget(self, entry: str) -> None:
        """Forget a call whose outcome is journaled."""
        self.tasks.pop(entry, None)


CALLS = Calls()


async def attempt_call(ctx: restate.Context, number: int, once: bool, reads: bool, work: Work) -> Outcome:
    """Make one attempt at a call and journal its outcome. Raises TerminalError for what operators do to the invocation.

    An interrupt meanwhile ends the call. If it has begun a task all the same, that is `working` and not `again`.

    Args:
        ctx: The handler's context.
        number: The attempt's number in the handler, from 1.
        once: Whether the attempt must not be repeated, even if its answer is lost.
        reads: Whether the call changes nothing, so that an interrupt ends it at once.
        work: Makes the call. It raises nothing.
    """
    entry = f"{ctx.request().id}/{number}"
    begun = CALLS.process
    if once:
        begun = await ctx.run_typed(f"about to call {number}", this_process, TOKEN)
    interrupted = asyncio.Event()

    async def act() -> Outcome:
        if entry not in CALLS.tasks:
            if once and begun != CALLS.process:
                return Outcome(kind="lost", text=CUT_OFF, again=False)
            if interrupted.is_set():
                return Outcome(kind="unreached", text=INTERRUPTED, again=False)
        # The call outlives this attempt of the handler: the next one waits for the same call.
        return await asyncio.shield(CALLS.begin(entry, work))

    made = ctx.run_typed(f"call {number}", act, OUTCOME)
    try:
        await restate.gather(made)
    except restate.TerminalError:
        # The customer has interrupted the turn. Restate raises this once; the call still ends.
        interrupted.set()
        CALLS.stop(entry, timedelta(0) if reads else INTERRUPT_GRACE)
        await last_word(made)
    outcome = await made
    CALLS.forget(entry)
    # Restate raises the interrupt once, so it must be said that a task which goes on is to be cancelled.
    stopped = interrupted.is_set() and outcome.kind == "working"
    return outcome.model_copy(update={"again": False}) if stopped else outcome


async def this_process() -> str:
    return CALLS.process
