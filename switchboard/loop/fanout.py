"""All calls of one step: started together, answered together, in the model's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import restate

from switchboard.loop.call_report import KILLED, UNKNOWN, is_outcome_unknown
from switchboard.loop.decide import AWAITS_CONSENT, ApprovedCall, UncheckedCall, ValidatedCall
from switchboard.loop.listener import Listener
from switchboard.messages import HeldCall, Identity, ToolResult
from switchboard.telemetry.spans import propagation_headers
from switchboard.words import QUOTES_OTHERS

TOOL_RESULT_MAX_BYTES = 16 * 1024
"""Maximum size of one result in a request to the model. A longer result is cut, with a note to the model."""

CANCEL_GRACE = timedelta(milliseconds=600)
"""After a cancellation, for the tools in flight to compensate and say how they ended."""

NEVER_ASKED = "Not done: the turn was interrupted before the customer was asked to confirm."

CallFuture = restate.RestateDurableCallFuture[bytes]


@dataclass(frozen=True)
class FanOut:
    """A result for each call of the step, in its order. `cancelled`: the turn was told to stop meanwhile."""

    results: tuple[ToolResult, ...]
    cancelled: bool = False


async def fan_out(
    ctx: restate.Context,
    calls: Sequence[ValidatedCall],
    identity: Identity,
    decided_ns: int = 0,
    listener: Listener | None = None,
) -> FanOut:
    """Make every approved call at once; what is held or refused keeps its place among the results.

    `decided_ns` is when the model had asked for them, as the journal has it. `listener` hears of each call that ends
    before the last one.
    """
    # All are started before any is awaited: the journal then holds them in the model's order on every replay.
    started = [
        (call, start(ctx, call, identity, decided_ns) if isinstance(call, ApprovedCall) else None) for call in calls
    ]
    futures = [future for _, future in started if future is not None]
    try:
        # The only wait. Our own cancellation surfaces here; a tool's failure does not, that is read in settle().
        if listener is not None and listener.watched:
            await wait_for_each(started, listener)
        else:
            await restate.gather(*futures)
    except restate.TerminalError:
        # Restate has cancelled every call in flight as well. How each ended belongs into the transcript.
        ended = await within(futures, ctx.sleep(CANCEL_GRACE, name="cancel grace"))
        results = [await settle(call, future, ended, NEVER_ASKED) for call, future in started]
        return FanOut(tuple(results), cancelled=True)
    return FanOut(tuple([await settle(call, future, futures) for call, future in started]))


def start(ctx: restate.Context, call: ApprovedCall, identity: Identity, decided_ns: int) -> CallFuture:
    tool, headers = call.tool, propagation_headers(call.call_id, decided_ns)
    return ctx.generic_call(tool.service, tool.handler, call.body.encode(), key=tool.key(identity), headers=headers)


async def wait_for_each(started: Sequence[tuple[ValidatedCall, CallFuture | None]], listener: Listener) -> None:
    """Wait until all calls have ended, and tell the listener of each that ends while others still run.

    This waits for the same futures as a wait for all of them, and writes nothing to the journal either. So it makes no
    difference to a replay whether an earlier attempt of this turn was watched.
    """
    waiting: list[Any] = [future for _, future in started if future is not None]
    while waiting:
        ended, waiting = await restate.wait_completed(*waiting)
        for call, future in started:
            if waiting and future is not None and future in ended:
                # The future has its value, so that this does not wait.
                listener.returned(await settle(call, future, [future]))


async def within(futures: Sequence[CallFuture], grace: restate.RestateDurableSleepFuture) -> list[Any]:
    """Those of the futures that are complete when all are, or when the grace is over."""
    waiting: list[Any] = list(futures)
    for _ in futures:
        completed, waiting = await restate.wait_completed(*waiting, grace)
        if grace in completed or waiting == [grace]:
            break
        waiting.remove(grace)
    return [future for future in futures if future not in waiting]


async def settle(
    call: ValidatedCall, future: CallFuture | None, ended: Sequence[CallFuture], of_held: str = AWAITS_CONSENT
) -> ToolResult:
    """A call that has ended, well or badly, is news for the model. `of_held` says how a held one stands."""
    if isinstance(call, ToolResult):
        return call
    if isinstance(call, HeldCall | UncheckedCall):
        return ToolResult(call_id=call.call_id, ok=False, outcome="held", content=of_held)
    if future is None or future not in ended:
        return ToolResult(call_id=call.call_id, ok=False, outcome="unknown", content=UNKNOWN)
    try:
        content = await future
    except restate.TerminalError as error:
        return failed_result(call.call_id, error)
    others_words = call.tool.others_words
    return ToolResult(call_id=call.call_id, ok=True, content=shorten(content), others_words=others_words)


def failed_result(call_id: str, error: restate.TerminalError) -> ToolResult:
    """Return the result of a call that a tool refused, or whose outcome the tool does not know."""
    if is_outcome_unknown(error.status_code, error.message):
        why = UNKNOWN if error.message in ("", KILLED) else shorten(error.message.encode())
        return ToolResult(call_id=call_id, ok=False, outcome="unknown", content=why)
    quotes = ("",) if QUOTES_OTHERS in (error.metadata or {}) else ()
    return ToolResult(call_id=call_id, ok=False, content=shorten(error.message.encode()), others_words=quotes)


def shorten(content: bytes) -> str:
    """The tool's answer as text, cut at a whole character when it is too long for a model."""
    if len(content) <= TOOL_RESULT_MAX_BYTES:
        return content.decode(errors="replace")
    kept = content[:TOOL_RESULT_MAX_BYTES].decode(errors="ignore")
    return f"{kept}\n[cut: {len(content)} bytes in all, {TOOL_RESULT_MAX_BYTES} shown; ask for less]"
