"""Declarations of Restate services: private to the mesh, with bounded retries and clear input errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import restate
from restate.extensions import current_context

from switchboard.runtime.invocations import RETRIES, refuse_bad_input
from switchboard.telemetry.metrics import count_tool_call
from switchboard.telemetry.spans import CALL_ID, current, traced


@asynccontextmanager
async def count_model_calls() -> AsyncIterator[None]:
    """Count an invocation if it serves a tool call of a model."""
    span, ctx = current(), current_context()
    if span is not None and ctx is not None and CALL_ID in span.headers:
        count_tool_call(span, ctx.request().body)
    yield


def tool_service(name: str, description: str) -> restate.Service:
    """Declare a stateless service of tools. Not reachable through the ingress.

    `description` is shown in the Restate UI.
    """
    return restate.Service(
        name,
        description=description,
        metadata={"switchboard.role": "tools"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), count_model_calls, refuse_bad_input],
    )


def tool_object(name: str, description: str) -> restate.VirtualObject:
    """Declare a virtual object of tools: state and one writer at a time per key. Not reachable through the ingress.

    `description` is shown in the Restate UI.
    """
    return restate.VirtualObject(
        name,
        description=description,
        metadata={"switchboard.role": "tools"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), count_model_calls, refuse_bad_input],
    )


def tool_workflow(name: str, description: str) -> restate.Workflow:
    """Declare a workflow of tools: it runs once per key and may take days. Not reachable through the ingress.

    `description` is shown in the Restate UI.
    """
    return restate.Workflow(
        name,
        description=description,
        metadata={"switchboard.role": "tools"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), count_model_calls, refuse_bad_input],
    )


def staff_service(name: str, description: str) -> restate.Service:
    """Declare a stateless service for staff, who reach it at the gateway: `POST /v1/staff/services/{name}/{handler}`.

    Not reachable through the ingress. If a handler's input has the field `by`, it is the subject of the staff member's
    token. `description` is shown in the Restate UI and at `/v1/staff/services`.
    """
    return restate.Service(
        name,
        description=description,
        metadata={"switchboard.role": "staff"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), count_model_calls, refuse_bad_input],
    )
