"""The AG-UI endpoint. A run is a message to a session, or the answer to the session's question."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Annotated, Any

from ag_ui.core import BaseEvent, RunAgentInput
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from sse_starlette import EventSourceResponse

from switchboard.events import read_event
from switchboard.gateway.agui import Run, answer_of, customer_text
from switchboard.gateway.api import AuthenticatedRoute, bearer, caller_in, effective_key, validated_text
from switchboard.gateway.contract import ProblemDetails, complete_characters
from switchboard.gateway.event_streams import STREAM_CONTENT, answer_stream, customer_reader, never
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import LINE_END, kind_and_data
from switchboard.gateway.openapi import PROBLEMS
from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import SessionClient
from switchboard.messages import WireModel
from switchboard.session.contract import HeldDecision, SendMessage, session_id

RUN_BODY_MAX_BYTES = 4 * 1024 * 1024
"""AG-UI's clients send the whole conversation with each run. Only the last message is read."""

HELD_ID_MAX_CHARS = 64

DOCUMENTED_RUN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events of AG-UI 1.0, from RUN_STARTED to RUN_FINISHED or RUN_ERROR.",
        "content": STREAM_CONTENT,
    }
}


class RunRoute(AuthenticatedRoute):
    """Accepts longer bodies."""

    body_max_bytes = RUN_BODY_MAX_BYTES


agui = APIRouter(prefix="/v1", responses=PROBLEMS, route_class=RunRoute)


def add_agui(app: FastAPI) -> None:
    """Add the endpoint to the API."""
    app.include_router(agui)


@agui.post("/agui", response_class=EventSourceResponse, responses=DOCUMENTED_RUN)
async def run_agent(
    request: Request, given: RunAgentInput, _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Response:
    """Run the agents on the last of `messages`, or answer a question with `resume`: a run of AG-UI 1.0.

    `threadId` is the session's id. `runId` makes a retry safe, as an Idempotency-Key does.
    """
    thread = valid_thread(given.thread_id)
    caller = caller_in(request, thread)
    handler, payload = asked(given, caller)
    key = effective_key(request, run_key(given.run_id))
    session_client: SessionClient = request.app.state.session_client
    submit = partial(session_client.deliver, caller, thread, handler, payload, key)
    read = customer_reader(session_client, thread, caller)
    return await answer_stream(
        request, thread, caller, read, partial(submit, never), translate=partial(frames_of_run, Run(given))
    )


def valid_thread(thread_id: str) -> str:
    try:
        return session_id(thread_id)
    except ValueError as error:
        raise Problem(400, "request_invalid", f"The threadId {error}.") from error


def asked(given: RunAgentInput, caller: Caller) -> tuple[str, WireModel]:
    """Return the session's handler and its input. Raises Problem 400."""
    who = {"customer_id": caller.customer_id, "signed_in": caller.signed_in}
    try:
        answer = answer_of(given)
        if answer is None:
            return "send", SendMessage(text=validated_text(complete_characters(customer_text(given))), **who)
    except ValueError as error:
        raise Problem(400, "request_invalid", str(error)) from error
    held_id, confirmed = answer
    if not 1 <= len(held_id) <= HELD_ID_MAX_CHARS:
        raise Problem(400, "request_invalid", "The interruptId is not the id of a question. Send the interrupt's id.")
    return "confirm" if confirmed else "decline", HeldDecision(held_id=held_id, **who)


def run_key(run_id: str) -> str:
    """Return the idempotency key of a run, whose id may be any text."""
    return f"agui-{hashlib.sha256(run_id.encode(errors='surrogatepass')).hexdigest()}"


async def frames_of_run(run: Run, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a run's events for the frames of our own stream."""
    yield frame(run.started())
    async for sent in frames:
        for event in events_for(run, sent):
            yield frame(event)


def events_for(run: Run, sent: bytes) -> Iterable[BaseEvent]:
    """Return a run's events for one server-sent event of our own stream; none for a comment."""
    kind, data = kind_and_data(sent)
    if kind == "problem":
        problem = ProblemDetails.model_validate_json(data)
        return run.failed(problem.detail, problem.code)
    shown = read_event(kind, data)
    return run.take(shown) if shown is not None else ()


def frame(event: BaseEvent) -> bytes:
    return f"data: {event.model_dump_json(by_alias=True)}{LINE_END}{LINE_END}".encode()
