"""How the mesh's Restate services are declared: private, retried within bounds, with errors that say what to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import restate
from restate.extensions import current_context

from switchboard.runtime.invocations import RETRIES, refuse_bad_input
from switchboard.telemetry.metrics import count_tool_call
from switchboard.telemetry.spans import CALL_ID, current, traced


@asynccontextmanager
async def counted() -> AsyncIterator[None]:
    """Count an invocation that carries out a model's call."""
    span, ctx = current(), current_context()
    if span is not None and ctx is not None and CALL_ID in span.headers:
        count_tool_call(span, ctx.request().body)
    yield


def tool_service(name: str, description: str) -> restate.Service:
    """A plain service of tools: stateless, any number of calls at once; reached by agents only."""
    return restate.Service(
        name,
        description=description,
        metadata={"switchboard.role": "tools"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), counted, refuse_bad_input],
    )


def tool_object(name: str, description: str) -> restate.VirtualObject:
    """A virtual object of tools: state by key, one writer at a time; reached by agents and other tools only."""
    return restate.VirtualObject(
        name,
        description=description,
        metadata={"switchboard.role": "tools"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), counted, refuse_bad_input],
    )


def tool_workflow(name: str, description: str) -> restate.Workflow:
    """A workflow of tools: runs once for each key, for days if it has to; started by other tools only."""
    return restate.Workflow(
        name,
        description=description,
        metadata={"switchboard.role": "tools"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), counted, refuse_bad_input],
    )


def staff_service(name: str, description: str) -> restate.Service:
    """A plain service that the ingress lets through: for staff, whom the edge in front of the ingress has to know."""
    return restate.Service(
        name,
        description=description,
        metadata={"switchboard.role": "staff"},
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), counted, refuse_bad_input],
    )
