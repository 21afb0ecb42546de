"""All calls of one step: started together, answered together, in the model's order."""

from collections.abc import Sequence

import restate

from switchboard.decide import ApprovedCall
from switchboard.messages import Identity, ToolResult

TOOL_RESULT_MAX_BYTES = 16 * 1024
"""What a model is fed of one result. More is cut, and the model is told."""

Started = tuple[ApprovedCall, restate.RestateDurableCallFuture[bytes]]


async def fan_out(
    ctx: restate.Context, calls: Sequence[ApprovedCall | ToolResult], identity: Identity
) -> list[ToolResult]:
    """Make every approved call at once; a result that is there already keeps its place among the others."""
    # All are started before any is awaited: the journal then holds them in the model's order on every replay.
    started = [call if isinstance(call, ToolResult) else (call, start(ctx, call, identity)) for call in calls]
    # The only wait. Our own cancellation surfaces here, outside every `except`; a tool's failure does not.
    await restate.gather(*(call[1] for call in started if not isinstance(call, ToolResult)))
    return [call if isinstance(call, ToolResult) else await settle(call) for call in started]


def start(ctx: restate.Context, call: ApprovedCall, identity: Identity) -> restate.RestateDurableCallFuture[bytes]:
    return ctx.generic_call(
        call.tool.service,
        call.tool.handler,
        call.arguments.model_dump_json().encode(),
        key=call.tool.key(identity),
    )


async def settle(started: Started) -> ToolResult:
    """A call that has ended, well or badly, is news for the model."""
    call, future = started
    try:
        content = await future
    except restate.TerminalError as error:
        return ToolResult(call_id=call.call_id, ok=False, content=error.message)
    return ToolResult(call_id=call.call_id, ok=True, content=shorten(content))


def shorten(content: bytes) -> str:
    """The tool's answer as text, cut at a whole character when it is too long for a model."""
    if len(content) <= TOOL_RESULT_MAX_BYTES:
        return content.decode()
    kept = content[:TOOL_RESULT_MAX_BYTES].decode(errors="ignore")
    return f"{kept}\n[cut: {len(content)} bytes in all, {TOOL_RESULT_MAX_BYTES} shown; ask for less]"
