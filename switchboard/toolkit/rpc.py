"""Durable calls from one tool to another, by the other's contract; and messages to customers."""

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
    """The input of the session handler `notify`: a message for its customer."""

    customer_id: str
    text: str


def start(
    ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None
) -> restate.RestateDurableCallFuture[bytes]:
    """Start one of several calls: start all, wait once with `gather`, then `read` each."""
    body = request.model_dump_json().encode()
    return ctx.generic_call(tool.service, tool.handler, body, key=key, headers=propagation_headers())


async def read(tool: Tool[Input, Output], answer: restate.RestateDurableCallFuture[bytes]) -> Output:
    """Return the result of a call that was started. Raises the tool's TerminalError."""
    return tool.output.model_validate_json(await answer)


async def call_tool(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
    """Call a tool and return its result. Raises the tool's TerminalError."""
    return await read(tool, start(ctx, tool, request, key))


def send_tool(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
    """Send a call to a tool without waiting. It is carried out even if this handler fails or is cancelled."""
    body = request.model_dump_json().encode()
    ctx.generic_send(tool.service, tool.handler, body, key=key, headers=propagation_headers())


def notify_customer(ctx: restate.Context, session_id: str, customer_id: str, text: str) -> None:
    """Send a message to the customer of a session. It arrives exactly once, also after crashes and restarts."""
    body = Notification(customer_id=customer_id, text=text).model_dump_json().encode()
    ctx.generic_send("Session", "notify", body, key=session_id, headers=propagation_headers())


def allowed(judged: Allowed | Refusal) -> Allowed:
    """What a rule has let pass. Raises TerminalError with the rule's words for what it has not."""
    if isinstance(judged, Refusal):
        raise restate.TerminalError(judged.why, status_code=judged.status_code)
    return judged
