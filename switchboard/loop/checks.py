"""Checks calls that need consent before the customer is asked, and again after the customer's yes."""

from collections.abc import Sequence
from dataclasses import dataclass

import restate
from pydantic import ValidationError

from switchboard.loop.decide import UncheckedCall, ValidatedCall, hold, recheck
from switchboard.loop.fanout import NEVER_ASKED, CallFuture, failed_result
from switchboard.messages import HeldCall, Identity, ToolResult
from switchboard.telemetry.spans import propagation_headers

CHECK_FAILED = "Not done: the check of this call returned something else than the agent expects. Try again later."

NOT_MADE = "Not done: the turn was interrupted before this was done."


@dataclass(frozen=True)
class CheckedCalls:
    """The calls of a step in their order, without unchecked ones unless the turn was `cancelled` meanwhile."""

    calls: tuple[ValidatedCall, ...]
    cancelled: bool = False

    @property
    def held(self) -> tuple[HeldCall, ...]:
        return tuple(call for call in self.calls if isinstance(call, HeldCall))

    def results(self, made: Sequence[ToolResult]) -> tuple[ToolResult, ...]:
        """Return the results of the step: those of the calls that were `made`, and how the checks ended."""
        return tuple(self.result(call, result) for call, result in zip(self.calls, made, strict=True))

    def result(self, call: ValidatedCall, made: ToolResult) -> ToolResult:
        if isinstance(call, ToolResult):
            return call
        asked = isinstance(call, UncheckedCall | HeldCall)
        return made.model_copy(update={"content": NEVER_ASKED}) if asked and self.cancelled else made

    def results_of_none_made(self) -> tuple[ToolResult, ...]:
        """Return the results of confirmed calls that were not made, because the turn was cancelled before."""
        return tuple(
            call if isinstance(call, ToolResult) else ToolResult(call_id=call.call_id, ok=False, content=NOT_MADE)
            for call in self.calls
        )


async def check_calls(ctx: restate.Context, calls: Sequence[ValidatedCall], identity: Identity) -> CheckedCalls:
    """Run the checks of all unchecked calls at once. A failed check refuses its call. Adds no journal entry without."""
    started = [start_check(ctx, call, identity) if isinstance(call, UncheckedCall) else None for call in calls]
    futures = [future for future in started if future is not None]
    if not futures:
        return CheckedCalls(tuple(calls))
    try:
        # Our own cancellation surfaces here. Checks change nothing, so how they end does not matter.
        await restate.gather(*futures)
    except restate.TerminalError:
        return CheckedCalls(tuple(calls), cancelled=True)
    return CheckedCalls(tuple([await settle(call, future) for call, future in zip(calls, started, strict=True)]))


def start_check(ctx: restate.Context, call: UncheckedCall, identity: Identity) -> CallFuture:
    check = call.tool.check_tool()
    key = check.key(identity)
    return ctx.generic_call(check.service, check.handler, call.body.encode(), key=key, headers=propagation_headers())


async def settle(call: ValidatedCall, future: CallFuture | None) -> ValidatedCall:
    """Return the call with a question or approved, or the refusal for the model."""
    if future is None or not isinstance(call, UncheckedCall):
        return call
    try:
        answer = await future
    except restate.TerminalError as error:
        # A check changes nothing, so nothing is unknown even if it was interrupted.
        return failed_result(call.call_id, error).model_copy(update={"outcome": "known"})
    try:
        return recheck(call, answer) if call.question else hold(call, answer)
    except ValidationError:
        return ToolResult(call_id=call.call_id, ok=False, content=CHECK_FAILED)
