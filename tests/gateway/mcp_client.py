"""The official SDK's client of MCP, as a customer uses it at the gateway."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
from mcp.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from switchboard.mcp_key import IDEMPOTENCY_META
from switchboard.testing import JSON
from tests.gateway.front import Visitor

LEGACY = "legacy"
"""The client negotiates version 2025-11-25, whose servers cannot ask the person without a state of their own."""

MODERN = "2026-07-28"


@dataclass
class Person:
    """Who sits at the client: how they answer a question, and the questions that they were shown."""

    answers: ElicitResult
    asked: list[str] = field(default_factory=list)

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params.message)
        return self.answers


YES = ElicitResult(action="accept", content={"confirmed": True})
UNTICKED = ElicitResult(action="accept", content={"confirmed": False})
NO = ElicitResult(action="decline")
CLOSED = ElicitResult(action="cancel")


@asynccontextmanager
async def mcp_client(
    visitor: Visitor,
    mode: Literal["legacy", "2026-07-28", "auto"] | str = MODERN,
    person: Person | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Client]:
    """Connect as this customer."""
    sent = {"authorization": f"Bearer {visitor.token}", **(headers or {})}
    async with (
        httpx2.AsyncClient(headers=sent, timeout=httpx2.Timeout(180)) as http,
        Client(
            streamable_http_client(f"{visitor.url}/v1/mcp", http_client=http), mode=mode, elicitation_callback=person
        ) as client,
    ):
        yield client


def keyed(key: object) -> Any:
    """Return the `_meta` of a call with this idempotency key, which may be a wrong one."""
    return {IDEMPOTENCY_META: key}


def data(result: CallToolResult) -> JSON:
    """Return the data of a result. The client has compared it with the tool's schema."""
    assert not result.is_error, result
    found: JSON = result.structured_content
    return found


def words(result: CallToolResult) -> str:
    """Return all that a model reads of a result."""
    return "\n".join(getattr(block, "text", "") for block in result.content)


def refused(result: CallToolResult) -> tuple[int, str]:
    """Return status and code of a call that failed."""
    assert result.is_error, result
    problem = (result.meta or {})["switchboard-mesh/problem"]
    assert problem["detail"] in words(result)
    return problem["status"], problem["code"]
