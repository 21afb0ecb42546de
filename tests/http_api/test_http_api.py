"""`switchboard.toolkit.http_api` and an API that misbehaves in every way, without Restate."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import restate
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from restate.exceptions import RetryableError

from switchboard import WireModel
from switchboard.credentials import CREDENTIAL
from switchboard.local.process import free_ports
from switchboard.loop.call_report import OUTCOME_UNKNOWN, UNKNOWN
from switchboard.loop.fanout import failed_result
from switchboard.telemetry import spans
from switchboard.toolkit.http_api import MISCONFIGURED, REFUSAL_MAX_CHARACTERS, UNAVAILABLE, UNREADABLE, Call, HttpApi
from switchboard.words import mark_result
from tests.http_api.api_server import INJECTED, ApiServer, open_api
from tests.unjournaled import Context, wait_for

TOKEN = "token-4711"


class Order(WireModel):
    order_id: str
    total: Decimal


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ApiServer]:
    async with open_api() as opened:
        yield opened


@pytest.fixture
async def api(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpApi]:
    monkeypatch.setenv("ORDERS_URL", server.url)
    monkeypatch.setenv("ORDERS_TOKEN", TOKEN)
    monkeypatch.setenv("SWITCHBOARD_HTTP_API_TIMEOUT", "PT30S")
    monkeypatch.setattr(restate, "gather", wait_for)
    opened = HttpApi("ORDERS_URL", token_variable="ORDERS_TOKEN")
    yield opened
    await opened.close()


@dataclass(frozen=True)
class Ending:
    """How a call ends: a message with a status; `later` if Restate makes another attempt first."""

    message: str
    status: int
    later: bool = False


async def ending(call: Any) -> Ending:
    try:
        answer = await call
    except restate.TerminalError as error:
        return Ending(error.message, error.status_code)
    except RetryableError as error:
        return Ending(error.message, error.status_code, later=True)
    raise AssertionError(f"the call has succeeded: {answer}")


UNKNOWN_END, UNAVAILABLE_END = Ending(UNKNOWN, OUTCOME_UNKNOWN), Ending(UNAVAILABLE, 503)
LATER, LATER_UNKNOWN = Ending(UNAVAILABLE, 503, later=True), Ending(UNKNOWN, OUTCOME_UNKNOWN, later=True)
UNREAD = Ending(UNREADABLE, 502)
NOT_FOUND = Ending("The service behind this tool refused the request (HTTP 404). It says: No such order.", 404)
REPEATED = Ending(NOT_FOUND.message.replace("No such order", f"No order for {CREDENTIAL}"), 404)

WAYS = {
    # What the API does: how a read, a write with a key and a write without one end.
    "hang": (LATER, LATER_UNKNOWN, UNKNOWN_END),
    "big": (UNREAD, UNKNOWN_END, UNKNOWN_END),
    "garbage": (UNREAD, UNKNOWN_END, UNKNOWN_END),
    "redirect": (UNREAD, UNKNOWN_END, UNKNOWN_END),
    "disconnect": (LATER, LATER_UNKNOWN, UNKNOWN_END),
    "500": (LATER, LATER_UNKNOWN, UNKNOWN_END),
    "503": (LATER, LATER_UNKNOWN, UNKNOWN_END),
    "wait": (LATER, LATER_UNKNOWN, LATER),
    "wait-long": (UNAVAILABLE_END, UNKNOWN_END, UNAVAILABLE_END),
    "404": (NOT_FOUND, NOT_FOUND, NOT_FOUND),
    "repeats": (REPEATED, REPEATED, REPEATED),
    "401": (Ending(MISCONFIGURED, 500),) * 3,
}


@pytest.mark.parametrize("kind", ["read", "write with a key", "write without a key"])
@pytest.mark.parametrize("way", WAYS)
async def test_bad_answer_ends_the_call_as_it_must(
    api: HttpApi,
    server: ApiServer,
    way: str,
    kind: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ctx: Any = Context()
    if way == "hang":
        monkeypatch.setenv("SWITCHBOARD_HTTP_API_TIMEOUT", "PT0.5S")
    elsewhere = server.seen["/v1/orders/elsewhere"]
    if kind == "read":
        call: Any = api.read(ctx, "/bad/{way}", Order, {"way": way})
    else:
        call = api.write(ctx, "POST", "/bad/{way}", Order, {"way": way}, keyed="without" not in kind)
    expected = dict(zip(("read", "write with a key", "write without a key"), WAYS[way], strict=True))
    assert await ending(call) == expected[kind]
    assert server.seen["/v1/orders/elsewhere"] == elsewhere
    assert TOKEN not in caplog.text


async def test_retry_after_is_respected(api: HttpApi) -> None:
    ctx: Any = Context()
    with pytest.raises(RetryableError) as raised:
        await api.read(ctx, "/bad/{way}", Order, {"way": "wait"})
    assert raised.value.retry_after is not None
    assert raised.value.retry_after.total_seconds() == 7


async def test_each_attempt_has_the_same_key_and_the_write_is_done_once(api: HttpApi, server: ApiServer) -> None:
    ctx: Any = Context()
    for _ in range(3):
        order = await api.write(ctx, "POST", "/orders/{order_id}", Order, {"order_id": "A-1"})
        assert order == Order(order_id="A-1", total=Decimal("7.00"))
    assert server.orders["A-1"] == 1
    sent = server.headers[-3:]
    assert {headers["idempotency-key"] for headers in sent} == {str(ctx.key)}
    assert {headers["authorization"] for headers in sent} == {f"Bearer {TOKEN}"}


async def test_write_without_a_key_is_never_sent_twice(api: HttpApi, server: ApiServer) -> None:
    ctx: Any = Context()
    await api._permit(ctx, permitted := call_without_key(str(ctx.key)))
    await api._attempt(permitted, Order, None)
    assert await ending(api._attempt(permitted, Order, None)) == UNKNOWN_END
    assert server.orders["B-1"] == 1
    assert "idempotency-key" not in server.headers[-1]


def call_without_key(key: str) -> Any:
    return Call("POST", "/orders/{order_id}", "/orders/B-1", {}, None, key, once=True)


@pytest.mark.parametrize("keyed", [True, False])
async def test_api_that_is_away_delays_the_call(api: HttpApi, monkeypatch: pytest.MonkeyPatch, keyed: bool) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("ORDERS_URL", f"http://127.0.0.1:{port}")
    ctx: Any = Context()
    expected = LATER_UNKNOWN if keyed else LATER
    call = api.write(ctx, "POST", "/orders/{order_id}", Order, {"order_id": "C-1"}, keyed=keyed)
    assert await ending(call) == expected


async def test_conflict_while_the_first_request_runs_is_waited_for(api: HttpApi) -> None:
    ctx: Any = Context()
    assert (await api.write(ctx, "POST", "/bad/{way}", Order, {"way": "busy"})).order_id == "busy"


async def test_words_of_the_api_are_cut_and_marked_for_the_model(api: HttpApi) -> None:
    ctx: Any = Context()
    with pytest.raises(restate.TerminalError) as raised:
        await api.read(ctx, "/bad/{way}", Order, {"way": "words"})
    result = failed_result("c1", raised.value)
    assert len(result.content) < REFUSAL_MAX_CHARACTERS + 100
    shown = mark_result(result.content, result.others_words)
    assert shown.startswith("〔")
    assert shown.endswith("〕")
    assert shown.count("〔") == 1
    assert INJECTED.translate({ord("〔"): "[", ord("〕"): "]"}) in shown


@pytest.mark.parametrize("value", ["..", ".", ""])
async def test_value_cannot_change_the_path(api: HttpApi, value: str) -> None:
    ctx: Any = Context()
    assert (await ending(api.read(ctx, "/orders/{order_id}", Order, {"order_id": value}))).status == 400


async def test_value_with_slashes_stays_one_segment(api: HttpApi, server: ApiServer) -> None:
    ctx: Any = Context()
    order = await api.read(ctx, "/orders/{order_id}", Order, {"order_id": "../admin?x=1#y"})
    assert order.order_id == "../admin?x=1#y"


async def test_spans_follow_the_conventions_and_have_no_values(
    api: HttpApi, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "tracer", provider.get_tracer("switchboard"))
    tool = spans.HandlerSpan("execute_tool order", "inv_1", "Orders", "order", {}, None, None, None)
    monkeypatch.setattr(spans, "current", lambda: tool)
    ctx: Any = Context()
    await api.read(ctx, "/orders/{order_id}", Order, {"order_id": "secret-1"}, {"page": "secret-2"})
    await ending(api.read(ctx, "/bad/{way}", Order, {"way": "404"}))
    good, bad = exporter.get_finished_spans()
    assert (good.name, bad.name) == ("GET /orders/{order_id}", "GET /bad/{way}")
    assert {span.parent.span_id for span in (good, bad) if span.parent} == {tool.span_id}
    assert dict(good.attributes or {}) == {
        "restate.invocation.id": "inv_1",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "url.template": "/orders/{order_id}",
    }
    assert (bad.attributes or {})["error.type"] == "404"
    assert (good.status.status_code, bad.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    written = good.to_json() + bad.to_json()
    assert not [word for word in ("secret", TOKEN) if word in written]


async def test_garbage_is_logged_without_its_text(api: HttpApi, caplog: pytest.LogCaptureFixture) -> None:
    ctx: Any = Context()
    with caplog.at_level(logging.INFO, logger="switchboard"):
        await ending(api.read(ctx, "/bad/{way}", Order, {"way": "garbage"}))
    assert "the answer is no Order" in caplog.text
    assert "sign in" not in caplog.text


@pytest.mark.parametrize(("variable", "value"), [("ORDERS_URL", "api.example.com"), ("ORDERS_TOKEN", "")])
def test_missing_setting_ends_the_process_at_start(
    api: HttpApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    models: Any = None
    with pytest.raises(SystemExit):
        api.served(models)
    assert capsys.readouterr().err.startswith(f"{variable} is not set")
