"""Durable calls from one tool to another by its contract, and messages to customers.

A customer's interrupt cancels a tool and the calls that it waits for. Calls of read-only tools then end at once. A call
that writes is waited for until it has ended, because only the called handler knows whether it was still in time. So the
customer is told what was done.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import restate
from pydantic import BaseModel

from switchboard import Tool
from switchboard.loop.call_report import KILLED, OUTCOME_UNKNOWN, UNKNOWN, is_outcome_unknown
from switchboard.messages import WireModel
from switchboard.telemetry.spans import propagation_headers
from switchboard.toolkit.refusal import CONFLICT, Refusal
from switchboard.words import QUOTES_OTHERS

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
Allowed = TypeVar("Allowed")


INTERRUPTED = "It was interrupted."
"""Reason of a step that ended without an outcome, once the step is undone."""


class Notification(WireModel):
    """Input of the session handler `notify`."""

    customer_id: str
    text: str


def start(
    ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None
) -> restate.RestateDurableCallFuture[bytes]:
    """Start a call of a read-only tool without waiting for it.

    For calls in parallel: start all, `gather` them, then `read` each. Raises ValueError for a tool that writes: after a
    cancellation, `gather` would end before the outcome is known.
    """
    if not tool.read_only:
        raise ValueError(f"{tool.name} writes. Call it with call_tool or as a Saga's step, which wait for its outcome.")
    return start_call(ctx, tool, request, key)


def start_call(
    ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None
) -> restate.RestateDurableCallFuture[bytes]:
    """Start a call of any tool. Only for this module and for sagas, which deal with cancellations."""
    body = request.model_dump_json().encode()
    return ctx.generic_call(tool.service, tool.handler, body, key=key, headers=propagation_headers())


async def read(tool: Tool[Input, Output], answer: restate.RestateDurableCallFuture[bytes]) -> Output:
    """Wait for a started call and return its result. Raises the tool's TerminalError."""
    return tool.output.model_validate_json(await answer)


async def call_tool(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
    """Call a tool and return its result. Raises the tool's TerminalError.

    If this handler is cancelled meanwhile, the called handler is cancelled too. The call of a read-only tool then ends
    at once with TerminalError 409. Any other tool has the last word: its result is returned if it was done, its error
    is raised if it was not, and TerminalError OUTCOME_UNKNOWN if that cannot be known.

    `key` is the key of the virtual object; None for a plain service.
    """
    answer = start_call(ctx, tool, request, key)
    if tool.read_only:
        return await read(tool, answer)
    await last_word(answer)
    try:
        return await read(tool, answer)
    except restate.TerminalError as error:
        if error.message == KILLED:
            raise outcome_unknown() from error
        raise


async def last_word(write: restate.RestateDurableFuture[Any], call_off: Callable[[], None] = lambda: None) -> None:
    """Wait until a write has ended, also if this handler is cancelled meanwhile.

    For a write outside the mesh, such as a payment provider's: `charged = ctx.run_typed("charge", …)`, then
    `await last_word(charged)`, then `await charged`. Await nothing that can be cancelled after the write. `call_off` is
    called at the cancellation. It may prevent a write that has not begun.

    Raises TerminalError OUTCOME_UNKNOWN at a second cancellation, which only operators make.
    """
    try:
        await restate.gather(write)
    except restate.TerminalError:
        # Restate raises a cancellation once, and has passed it on to the called handler.
        call_off()
        try:
            await restate.gather(write)
        except restate.TerminalError as error:
            raise outcome_unknown() from error


def outcome_unknown() -> restate.TerminalError:
    """Return the error of a tool that cannot know whether its work was done. Customers and models are told so."""
    return restate.TerminalError(UNKNOWN, status_code=OUTCOME_UNKNOWN)


def known_error(error: restate.TerminalError) -> restate.TerminalError:
    """Return the error to raise when the work has been undone, so that an unknown outcome has become a known one."""
    if is_outcome_unknown(error.status_code, error.message):
        return restate.TerminalError(INTERRUPTED, status_code=CONFLICT)
    return error


def send_tool(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
    """Send a one-way call to a tool. It runs even if this handler then fails or is cancelled.

    `key` is the key of the virtual object; None for a plain service.
    """
    body = request.model_dump_json().encode()
    ctx.generic_send(tool.service, tool.handler, body, key=key, headers=propagation_headers())


def notify_customer(ctx: restate.Context, session_id: str, customer_id: str, text: str) -> None:
    """Send a message to the customer of a session.

    It becomes part of the transcript, exactly once despite crashes and restarts.
    """
    body = Notification(customer_id=customer_id, text=text).model_dump_json().encode()
    ctx.generic_send("Session", "notify", body, key=session_id, headers=propagation_headers())


def allowed(result: Allowed | Refusal) -> Allowed:
    """Return the result of a rule, or raise its refusal as a TerminalError.

    `account = allowed(find_account(data, request))`
    """
    if isinstance(result, Refusal):
        metadata = {QUOTES_OTHERS: "yes"} if result.quotes_others else None
        raise restate.TerminalError(result.why, status_code=result.status_code, metadata=metadata)
    return result
