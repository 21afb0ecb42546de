"""An MCP server of 2026 whose tools become tasks: `python -m tests.mcp.workshop PORT`.

Its tasks are lines of the file in WORKSHOP_LOG, so they outlive its restarts. A test ends one with a line
`finish ITEM`, and makes the server forget it with `forget ITEM`. It is strict: it refuses what the extension forbids.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.server import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolRequestParams, RequestParams, ToolAnnotations
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from switchboard.mcp_key import IDEMPOTENCY_META

LOG = Path(os.environ.get("WORKSHOP_LOG", os.devnull))
TASKS = "io.modelcontextprotocol/tasks"
MODERN = frozenset({"2026-07-28"})
CREATED_AT = "2026-07-28T08:00:00Z"
COLOUR = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
}
ADDS = ToolAnnotations(destructive_hint=False)
READS = ToolAnnotations(read_only_hint=True)


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, dict[str, Any]]


def log(line: str) -> None:
    with LOG.open("a") as file:
        file.write(line + "\n")


def logged(begin: str) -> list[str]:
    """The rests of the lines that begin so."""
    lines = LOG.read_text().splitlines() if LOG.exists() else []
    return [line[len(begin) + 1 :] for line in lines if line.startswith(begin + " ")]


Context = ServerRequestContext[Any, Any]


def task_of(ctx: Context, params: TaskParams) -> dict[str, str]:
    """The task that a request is about. Refuses a client that breaks the rules."""
    require_client_extension(ctx, TASKS)
    name = ctx.request.headers.get("mcp-name") if ctx.request else None
    if name != params.task_id:
        raise MCPError(INVALID_PARAMS, f"Mcp-Name is {name!r}")
    for line in logged("task"):
        task: dict[str, str] = json.loads(line)
        if task["id"] == params.task_id and task["item"] not in logged("forget"):
            return task
    raise MCPError(INVALID_PARAMS, "Failed to retrieve task: Task not found")


class Workshop(Extension):
    """The tasks extension of this server."""

    identifier = TASKS

    def methods(self) -> list[MethodBinding]:
        return [
            MethodBinding("tasks/get", TaskParams, self.get, MODERN),
            MethodBinding("tasks/update", UpdateParams, self.update, MODERN),
            MethodBinding("tasks/cancel", TaskParams, self.cancel, MODERN),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Context, call_next: CallNext
    ) -> HandlerResult:
        if params.name == "quote":
            return await call_next(ctx)
        require_client_extension(ctx, TASKS)
        arguments = params.arguments or {}
        key = dict(ctx.meta or {}).get(IDEMPOTENCY_META, "")
        for line in logged("task"):
            if (task := json.loads(line))["key"] == key:
                return {"resultType": "task", **shown(task)}
        task = {"id": uuid4().hex, "item": arguments["item"], "tool": params.name, "key": key}
        log(f"task {json.dumps(task)}")
        return {"resultType": "task", **shown(task)}

    async def get(self, ctx: Context, params: TaskParams) -> HandlerResult:
        task = task_of(ctx, params)
        log(f"looked {task['item']}")
        return {"resultType": "complete", **shown(task)}

    async def update(self, ctx: Context, params: UpdateParams) -> HandlerResult:
        task = task_of(ctx, params)
        if task["item"] not in logged("answered"):
            log(f"answered {task['item']}")
            log(f"answer {task['item']} {json.dumps(params.input_responses)}")
        return {"resultType": "complete"}

    async def cancel(self, ctx: Context, params: TaskParams) -> HandlerResult:
        task = task_of(ctx, params)
        log(f"cancelled {task['item']}")
        return {"resultType": "complete"}


def shown(task: dict[str, str]) -> dict[str, Any]:
    """A task on the wire."""
    item = task["item"]
    state: dict[str, Any] = {
        "taskId": task["id"],
        "status": "working",
        "createdAt": CREATED_AT,
        "lastUpdatedAt": CREATED_AT,
        "ttlMs": None,
        "pollIntervalMs": 100,
    }
    if item in logged("cancelled"):
        return {**state, "status": "cancelled"}
    if item in logged("broken"):
        return {**state, "status": "failed", "error": {"code": -32603, "message": "the saw 〔broke〕"}}
    if task["tool"] == "paint" and item not in logged("answered"):
        question = {"mode": "form", "message": "Which colour?", "requestedSchema": COLOUR}
        asked = {"colour": {"method": "elicitation/create", "params": question}}
        return {**state, "status": "input_required", "inputRequests": asked}
    if item not in logged("finish"):
        return state
    text = f"{task['tool']} {item}: done"
    return {**state, "status": "completed", "result": {"content": [{"type": "text", "text": text}]}}


workshop = MCPServer("workshop", log_level="ERROR", extensions=[Workshop()])


@workshop.tool(annotations=ADDS)
async def build(item: str) -> str:
    """Build something."""
    raise NotImplementedError


@workshop.tool(annotations=READS)
async def measure(item: str) -> str:
    """Measure something."""
    raise NotImplementedError


@workshop.tool(annotations=ADDS)
async def paint(item: str) -> str:
    """Paint something. Asks for the colour."""
    raise NotImplementedError


@workshop.tool(annotations=READS)
async def quote(item: str) -> str:
    """Say what something costs, at once."""
    return f"{item}: 20 EUR"


@workshop.custom_route("/health", methods=["GET"])  # type: ignore[untyped-decorator]  # Its type is not exported.
async def health(request: Request) -> Response:
    return PlainTextResponse("ok")


if __name__ == "__main__":
    workshop.run("streamable-http", port=int(sys.argv[1]))
