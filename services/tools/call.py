"""How one tool calls another: by the other's contract, durably, with types."""

from typing import TypeVar

import restate
from pydantic import BaseModel

from switchboard import Tool

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)


async def ask(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> Output:
    """Call a tool and wait for its answer. Its TerminalError is raised here."""
    answer = await ctx.generic_call(tool.service, tool.handler, request.model_dump_json().encode(), key=key)
    return tool.output.model_validate_json(answer)


def tell(ctx: restate.Context, tool: Tool[Input, Output], request: Input, key: str | None = None) -> None:
    """Send to a tool, to be done whatever becomes of this handler."""
    ctx.generic_send(tool.service, tool.handler, request.model_dump_json().encode(), key=key)
