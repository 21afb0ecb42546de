"""Durable calls from one tool to another by its contract, and messages to customers."""

from typing import TypeVar

import restate
from pydantic import BaseModel

from switchboard import Tool
from switchboard.messages import WireModel
from switchboard.telemetry.spans import propagation_headers
from switchboard.toolkit.refusal import Refusal

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
Allowed = TypeVar("Allowed")


class Notification(WireModel):
    """Input of the session handler `notify`."""

    customer_id: str
    text: str


def start(
    ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None
) -> restate.RestateDurableCallFuture[bytes]:
    """Start a call without waiting for it. For calls in parallel: start all, `gather` them, then `read` each."""
    body = request.model_dump_json().encode()
    return ctx.generic_call(tool.service, tool.handler, body, key=key, headers=propagation_headers())


async def read(tool: Tool[Input, Output], answer: restate.RestateDurableCallFuture[bytes]) -> Output:
    """Wait for a started call and return its result. Raises the tool's TerminalError."""
    return tool.output.model_validate_json(await answer)


async def call_tool(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
    """Call a tool and return its result. Raises the tool's TerminalError.

    `key` is the key of the virtual object; None for a plain service.
    """
    return await read(tool, start(ctx, tool, request, key))


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
        raise restate.TerminalError(result.why, status_code=result.status_code)
    return result
