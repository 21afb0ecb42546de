"""Shapes of MCP tasks on the wire: those of 2026 (the extension `io.modelcontextprotocol/tasks`) and those of 2025."""

from typing import Any, Literal

from mcp_types import ErrorData, InputRequest, InputResponse, Request, RequestParams, Result

Method = Literal["tasks/get", "tasks/cancel", "tasks/result"]


class TaskState(Result):
    """How a task stands. Servers of 2025 name the interval otherwise, and give the result to another request."""

    task_id: str
    status: Literal["working", "input_required", "completed", "failed", "cancelled"]
    poll_interval: float | None = None
    poll_interval_ms: float | None = None
    result: dict[str, Any] | None = None
    error: ErrorData | None = None
    input_requests: dict[str, InputRequest] | None = None


class TaskCreatedIn2025(Result):
    """Answer of a server of 2025 that goes on with a call as a task."""

    task: TaskState


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, InputResponse]


class TaskRequest(Request[TaskParams, Method]):
    """A request that says nothing but which task it is about. Only servers of 2025 know `tasks/result`."""

    name_param = "taskId"


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams
    name_param = "taskId"
