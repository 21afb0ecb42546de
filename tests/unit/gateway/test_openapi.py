"""What the gateway says about itself, and what it answers to paths and methods that it does not have."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI

from switchboard.gateway.agui_api import add_agui
from switchboard.gateway.api import create_app
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import SharedSecret, TokenVerifier
from switchboard.gateway.openapi import ERRORS
from switchboard.gateway.places import Places
from switchboard.gateway.probes import Readiness
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.staff import add_staff_api
from switchboard.gateway.staff_client import StaffClient
from switchboard.gateway.token import mint, mint_staff
from tests.unit.gateway.asgi import Answer, body, post
from tests.unit.gateway.test_middleware import SECRET, SETTINGS, FaultyIngress

PLACES = 10
"""Requests of a customer that may wait at the same time."""


def app() -> FastAPI:
    session_client = SessionClient(FaultyIngress(), timedelta(seconds=1))
    tokens, readiness = TokenVerifier(SETTINGS, SharedSecret(SECRET)), Readiness(session_client.ready)
    created = create_app(session_client, tokens, readiness, Places(PLACES), Hub(ViewerLimits(1, 1, 1)))
    add_agui(created)
    add_staff_api(created, StaffClient(None))  # type: ignore[arg-type]  # no request of these tests gets that far
    return created


@cache
def document() -> dict[str, Any]:
    return app().openapi()


def operations() -> Iterator[tuple[str, Any]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def media_types(operation: str, status: str) -> set[str]:
    """The media types that an operation answers with this status."""
    if not status.startswith("2"):
        return {"application/problem+json"}
    if operation.endswith(("/events", "/agui")):
        return {"text/event-stream"}
    both = operation.endswith(("/messages", "/confirm", "/decline")) and "staff" not in operation
    return {"application/json", "text/event-stream"} if both else {"application/json"}


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_operation_documents_its_errors_as_problems(name: str, operation: Any) -> None:
    documented = operation["responses"]
    assert {str(status) for status in ERRORS} <= documented.keys()
    for status, response in documented.items():
        assert set(response["content"]) == media_types(name, status)
    assert operation["security"]


def test_document_limits_texts_from_below() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["NewMessage"]["properties"]["text"]["minLength"] == 1
    assert "by" not in str([schemas[name] for name in ("ApprovalDecision", "NewNote", "Closing")])


async def send(path: str, token: str = "", **headers: str) -> Answer:
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
    return await post(app(), path, sent, [body(b"{}")])


@pytest.mark.parametrize(
    "path", ["/v1/sessions/s/messages/", "/v1/staff/cases/c/close/", "/v1/openapi.json/", "/ready/"]
)
async def test_trailing_slash_is_not_redirected_to_the_host_that_a_client_names(path: str) -> None:
    answer = await send(path, host="evil.example")
    assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert "location" not in answer.headers
    assert "evil" not in str(answer)


@pytest.mark.parametrize("path", ["/v1/sessions/s/status", "/v1/staff/cases", "/v1/openapi.json"])
async def test_refused_method_names_the_allowed_ones(path: str) -> None:
    answer = await send(path)
    assert (answer.status, answer.body["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


def token(**more: Any) -> str:
    return mint(SETTINGS, "alice", timedelta(minutes=1), datetime.now(UTC), **more)


async def test_staff_api_is_closed_to_customers_and_strangers() -> None:
    for path in ("/v1/staff/cases/c/close", "/v1/staff/services/Cases/close", "/v1/staff/approvals/a/approve"):
        for given in ("", "x.y.z"):
            answer = await send(path, given)
            assert (answer.status, answer.body["code"]) == (401, "unauthorized"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for given in (token(), token(signed_in=False)):
            answer = await send(path, given)
            assert (answer.status, answer.body["code"]) == (403, "staff_only"), path


async def test_staff_member_is_let_through_to_the_validation_of_the_body() -> None:
    member = mint_staff(SETTINGS, "mia", timedelta(minutes=1), datetime.now(UTC))
    answer = await send("/v1/staff/cases/c/close", member)
    assert (answer.status, answer.body["code"]) == (400, "request_invalid")
    assert "outcome" in answer.body["detail"]
