"""How one tool calls another: by the other's contract, durably, with types; and how it tells a customer something."""

from typing import TypeVar

import restate
from pydantic import BaseModel

from switchboard import Tool
from switchboard.messages import Wire
from switchboard.telemetry.spans import onward
from switchboard.toolkit.refusal import Refusal

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
Allowed = TypeVar("Allowed")


class Notification(Wire):
    """What a session takes to tell its customer; the part of its contract that tools have to know."""

    customer_id: str
    text: str


def start(
    ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None
) -> restate.RestateDurableCallFuture[bytes]:
    """Begin a call of several at once: start all, wait with one `gather`, then `read` each."""
    return ctx.generic_call(tool.service, tool.handler, request.model_dump_json().encode(), key=key, headers=onward())


async def read(tool: Tool[Input, Output], answer: restate.RestateDurableCallFuture[bytes]) -> Output:
    """The answer of a call that was started. Its TerminalError is raised here."""
    return tool.output.model_validate_json(await answer)


async def ask(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
    """Call a tool and wait for its answer. Its TerminalError is raised here."""
    return await read(tool, start(ctx, tool, request, key))


def tell(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
    """Send to a tool, to be done whatever becomes of this handler."""
    ctx.generic_send(tool.service, tool.handler, request.model_dump_json().encode(), key=key, headers=onward())


def notify(ctx: restate.Context, session_id: str, customer_id: str, text: str) -> None:
    """Tell the customer of a session something that they did not ask just now. It arrives once, whoever is down."""
    body = Notification(customer_id=customer_id, text=text).model_dump_json().encode()
    ctx.generic_send("Session", "notify", body, key=session_id, headers=onward())


def allowed(judged: Allowed | Refusal) -> Allowed:
    """What a rule has let pass. Raises TerminalError with the rule's words for what it has not."""
    if isinstance(judged, Refusal):
        raise restate.TerminalError(judged.why, status_code=judged.status_code)
    return judged
