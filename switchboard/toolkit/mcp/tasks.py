"""Requests for a task that a server works on: how it stands, its result, its questions, and its end.

Each is one connection. A look at a task changes nothing, so it is made again after any failure. An answer to a question
and a cancellation can be sent twice, because a server ignores the second one.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from mcp import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    EmptyResult,
    Result,
)
from pydantic import ValidationError

from switchboard.mcp_server import McpServer
from switchboard.telemetry.mcp_call import mcp_request, record_failure
from switchboard.telemetry.spans import HandlerSpan
from switchboard.toolkit.mcp.client import accepted, asked_text, failure, read_result, reply_to
from switchboard.toolkit.mcp.connection import CONNECT_TIMEOUT, Connection, connected, resumed, url_of
from switchboard.toolkit.mcp.elicitation import Questions
from switchboard.toolkit.mcp.failures import kinds_of, reason, singles
from switchboard.toolkit.mcp.outcomes import Attempt, Outcome, RunningTask
from switchboard.toolkit.mcp.task_results import (
    Method,
    TaskParams,
    TaskRequest,
    TaskState,
    UpdateParams,
    UpdateTask,
)

logger = logging.getLogger(__name__)

FORGOTTEN = "{server} does not know the task of this call any more, so its result is lost"
CANCELLED = "Not done: {server} cancelled the task before it was completed."
INTERRUPTED = "Not done: it was interrupted, and {server} cancelled the task."
NOT_STOPPED = "It was interrupted, and {server} has not said whether it stopped"
NO_RESULT = "{server} says that the task is completed, but not with which result"

Work = Callable[[Connection], Awaitable[Outcome]]
Answer = TypeVar("Answer", bound=Result)


async def look_at(server: McpServer, attempt: Attempt, task: RunningTask, parent: HandlerSpan | None = None) -> Outcome:
    """Return how a task stands. `working` also if the server does not answer; then `text` says why."""
    questions = Questions(attempt.answers)

    async def look(opened: Connection) -> Outcome:
        state = await state_of(opened, task)
        outcome = await outcome_of(opened, server, task, state, questions)
        if opened.http is not None:
            opened.http.keeps_session = outcome.kind == "working"
        return outcome

    return await with_task(server, attempt, task, look, questions if attempt.asks else None, "tasks/get", parent)


async def cancel(server: McpServer, attempt: Attempt, task: RunningTask, parent: HandlerSpan | None = None) -> Outcome:
    """Cancel a task, and return how it stands then: `lost` if that is not known, `working` if the server is away."""

    async def stop(opened: Connection) -> Outcome:
        if opened.http is not None:
            opened.http.keeps_session = False
        try:
            await ask(opened, "tasks/cancel", task, Result)
        except MCPError as error:
            # A server may refuse to cancel a task that has just ended.
            if error.code != INVALID_PARAMS:
                raise
        state = await state_of(opened, task)
        if state.status == "cancelled":
            return Outcome(kind="failed", text=INTERRUPTED.format(server=server.name), again=False)
        outcome = await outcome_of(opened, server, task, state, Questions(None))
        unknown = Outcome(kind="lost", text=NOT_STOPPED.format(server=server.name), again=False)
        return unknown if outcome.kind in ("working", "asked") else outcome

    return await with_task(server, attempt, task, stop, None, "tasks/cancel", parent)


async def with_task(
    server: McpServer,
    attempt: Attempt,
    task: RunningTask,
    work: Work,
    questions: Questions | None,
    method: str,
    parent: HandlerSpan | None,
) -> Outcome:
    """Do something with a task over a connection of its own. Returns `working` if the server does not answer."""
    with mcp_request(parent, method, url_of(server)) as span:
        try:
            with anyio.fail_after(CONNECT_TIMEOUT.total_seconds()):
                return await in_its_session(server, attempt, task, work, questions)
        except Exception as error:  # noqa: BLE001  # Its message may have other people's words, so only its type is logged.
            record_failure(span, kinds_of(error))
            if any(isinstance(each, MCPError) and each.code == INVALID_PARAMS for each in singles(error)):
                return Outcome(kind="lost", text=FORGOTTEN.format(server=server.name), again=False)
            logger.warning("%s at MCP server %s failed: %s", method, server.name, kinds_of(error))
            return Outcome(kind="working", text=f"{server.name} {reason(error, CONNECT_TIMEOUT)}", task=task)


async def in_its_session(
    server: McpServer, attempt: Attempt, task: RunningTask, work: Work, questions: Questions | None
) -> Outcome:
    """Do something with a task in the MCP session that it belongs to; in a new one if the server has ended that."""
    outcome: Outcome | None = None
    refused: BaseException | None = None
    try:
        async with resumed(server, attempt.headers, task, questions, attempt.auth) as opened:
            outcome = await work(opened)
    except Exception as error:
        # An error after the answer only says that the connection did not end well.
        if outcome is None:
            if not task.session or not any(isinstance(each, MCPError) and ended(each) for each in singles(error)):
                raise
            refused = error
    if refused is not None:
        async with connected(server, attempt.headers, questions, attempt.auth) as opened:
            return await work(opened)
    assert outcome is not None
    return outcome


def ended(error: MCPError) -> bool:
    """Return whether a server may say by an error that it has no such MCP session."""
    # Servers choose the code of the error that comes with a status of 400 or 404.
    return error.code != INVALID_PARAMS


async def state_of(opened: Connection, task: RunningTask) -> TaskState:
    """Ask how a task stands. Raises UnreadableTask for an answer about another task."""
    state = await ask(opened, "tasks/get", task, TaskState)
    if state.task_id != task.task_id:
        raise UnreadableTask
    return state


class UnreadableTask(Exception):
    """The server answered about another task."""


async def ask(opened: Connection, method: Method, task: RunningTask, answer: type[Answer]) -> Answer:
    """Send a request that is about a task and says nothing else."""
    request = TaskRequest(method=method, params=TaskParams(task_id=task.task_id))
    return await opened.session.send_request(request, answer)


async def outcome_of(
    opened: Connection,
    server: McpServer,
    task: RunningTask,
    state: TaskState,
    questions: Questions,
) -> Outcome:
    """Return what the state of a task says of the call."""
    interval = state.poll_interval_ms if opened.modern else state.poll_interval
    session = opened.http.session if opened.http else ""
    task = task.model_copy(update={"poll_seconds": (interval or 0) / 1000, "session": session})
    match state.status:
        case "working":
            return Outcome(kind="working", text="", task=task)
        case "cancelled":
            return Outcome(kind="failed", text=CANCELLED.format(server=server.name), again=False)
        case "input_required" if opened.modern:
            return await answer_questions(opened, task, state, questions)
        case "input_required":
            return await answer_in_2025(opened, task, questions)
    if not opened.modern:
        return await result_in_2025(opened, server, task, questions)
    if state.status == "failed" and state.error is not None:
        return failure(MCPError.from_error_data(state.error), server, opened)
    try:
        return read_result(CallToolResult.model_validate(state.result, by_name=False), Questions(None), opened.secrets)
    except ValidationError:
        return Outcome(kind="lost", text=NO_RESULT.format(server=server.name), again=False)


async def answer_questions(opened: Connection, task: RunningTask, state: TaskState, questions: Questions) -> Outcome:
    """Give a task the customer's answers, if they were asked; otherwise return its questions. The task waits."""
    wanted = {key: each for key, each in (state.input_requests or {}).items() if key not in task.answered}
    replies = {key: await reply_to(opened.session, key, each) for key, each in wanted.items()}
    if not accepted(replies):
        kept = task if questions.asked else None
        if kept is None:
            # What it asks can never be answered, so it would wait in vain.
            await ask(opened, "tasks/cancel", task, Result)
        return Outcome(kind="asked", text=asked_text(questions), again=False, others=True, task=kept)
    if replies:
        parameters = UpdateParams(task_id=task.task_id, input_responses=dict(replies))
        await opened.session.send_request(UpdateTask(params=parameters), EmptyResult)
    answered = (*task.answered, *wanted)
    return Outcome(kind="working", text="", task=task.model_copy(update={"answered": answered}))


async def answer_in_2025(opened: Connection, task: RunningTask, questions: Questions) -> Outcome:
    """Give a task of 2025 the customer's answers. It asks over the request for its result, which stays open.

    Such a task cannot wait for days: its server asks over a connection. Without answers, it is cancelled, and the call
    is made from the start when there are answers.
    """
    # A dismissed question would let the work go on without the customer's answer.
    questions.holds = True
    async with anyio.create_task_group() as group:
        group.start_soon(wait_for_result, opened, task)
        await questions.settled.wait()
        if not questions.asked:
            # The answer is on its way once the task does not ask any more.
            while (await state_of(opened, task)).status == "input_required":
                await anyio.sleep(ANSWER_PAUSE_SECONDS)
        group.cancel_scope.cancel()
    if not questions.asked:
        return Outcome(kind="working", text="", task=task)
    await ask(opened, "tasks/cancel", task, Result)
    return Outcome(kind="asked", text=asked_text(questions), again=False, others=True)


ANSWER_PAUSE_SECONDS = 0.1
"""Before a server is asked again whether it has read an answer."""


async def wait_for_result(opened: Connection, task: RunningTask) -> None:
    await ask(opened, "tasks/result", task, CallToolResult)


async def result_in_2025(opened: Connection, server: McpServer, task: RunningTask, questions: Questions) -> Outcome:
    """Return the result of a task of 2025 that has ended."""
    try:
        result = await ask(opened, "tasks/result", task, CallToolResult)
    except ValidationError:
        return Outcome(kind="lost", text=NO_RESULT.format(server=server.name), again=False)
    return read_result(result, questions, opened.secrets)
