"""The server over real HTTP: the official client, faults, the control API, start and stop."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import openai
import orjson
import pytest

ROOT = Path(__file__).parents[2]
BALANCE_TOOL = {
    "type": "function",
    "name": "get_balance",
    "description": "The customer's balance.",
    "parameters": {"type": "object", "properties": {}},
    "strict": True,
}

StartServer = Callable[..., str]


@pytest.fixture
def http(server: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server, timeout=60) as client:
        yield client
        client.delete("/demo/faults")
        client.delete("/demo/script")
        client.delete("/demo/requests")
        client.put("/demo/latency", json={"ms": 0})


def ask(http: httpx2.Client, text: str = "what is my balance?", **fields: object) -> httpx2.Response:
    return http.post("/v1/responses", json={"model": "demo", "input": text, "tools": [BALANCE_TOOL], **fields})


def test_official_client_gets_a_call_and_then_a_text(server: str) -> None:
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0)
    first = client.responses.create(model="demo", input="what is my balance?", tools=[BALANCE_TOOL])  # type: ignore[list-item]
    [call] = first.output
    assert call.type == "function_call"
    result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"balance":"5.10","currency":"EUR"}'}
    history = [{"role": "user", "content": "what is my balance?"}, call.model_dump(), result]
    second = client.responses.create(model="demo", input=history, tools=[BALANCE_TOOL])  # type: ignore[arg-type,list-item]
    assert second.output_text == "Balance: 5.10 EUR."
    assert [model.id for model in client.models.list()] == ["demo-model"]


def test_official_client_reads_a_reply_word_by_word(server: str) -> None:
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0)
    history = [
        {"role": "user", "content": "what is my balance?"},
        {"type": "function_call", "call_id": "c-1", "name": "get_balance", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c-1", "output": '{"balance":"5.10","currency":"EUR"}'},
    ]
    with client.responses.stream(model="demo", input=history, tools=[BALANCE_TOOL]) as stream:  # type: ignore[arg-type,list-item]
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
        whole = stream.get_final_response()
    assert words == ["Balance: ", "5.10 ", "EUR."]
    assert whole.output_text == "Balance: 5.10 EUR."


def test_official_client_reads_a_call_from_a_stream(server: str) -> None:
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0)
    with client.responses.stream(model="demo", input="what is my balance?", tools=[BALANCE_TOOL]) as stream:  # type: ignore[list-item]
        kinds = [event.type for event in stream]
        (call,) = stream.get_final_response().output
    assert call.type == "function_call"
    assert "response.function_call_arguments.done" in kinds
    assert kinds[-1] == "response.completed"


def test_a_stream_can_break_off_in_the_middle(http: httpx2.Client, server: str) -> None:
    http.put("/demo/faults", json=[{"kind": "break_off"}])
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0)
    kinds: list[str] = []
    with pytest.raises(openai.APIError), client.responses.stream(model="demo", input="hello") as stream:  # noqa: PT012
        kinds += [event.type for event in stream]
        stream.get_final_response()
    assert "response.completed" not in kinds


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("http_400", 400, "invalid_value"),
        ("http_401", 401, "invalid_api_key"),
        ("http_404", 404, "model_not_found"),
        ("http_429", 429, "rate_limit_exceeded"),
        ("http_500", 500, "server_error"),
        ("http_503", 503, "overloaded"),
    ],
)
def test_injected_http_error_applies_once(http: httpx2.Client, kind: str, status: int, code: str) -> None:
    http.put("/demo/faults", json=[{"kind": kind, "retry_after_s": 7}]).raise_for_status()
    given = ask(http)
    assert (given.status_code, given.json()["error"]["code"]) == (status, code)
    assert given.headers.get("retry-after") == ("7" if status == 429 else None)
    assert ask(http).status_code == 200


def test_injected_faults_corrupt_replies(http: httpx2.Client) -> None:
    kinds = ["garbage", "empty", "invented_tool", "broken_json"]
    http.put("/demo/faults", json=[{"kind": kind} for kind in kinds]).raise_for_status()
    garbage, empty, invented, broken = (ask(http) for _ in kinds)
    with pytest.raises(ValueError, match="Expecting value"):
        garbage.json()
    assert empty.json()["output"] == []
    assert invented.json()["output"][0]["name"] == "a_tool_that_does_not_exist"
    assert broken.json()["output"][0]["name"] == "get_balance"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(broken.json()["output"][0]["arguments"])


def test_latency_fault_delays_only_messages_with_its_text(http: httpx2.Client) -> None:
    http.put("/demo/faults", json=[{"kind": "latency", "latency_ms": 200, "times": -1, "contains": "slow"}])
    assert ask(http).elapsed.total_seconds() < 0.2
    slow = ask(http, "slow: what is my balance?")
    assert slow.status_code == 200
    assert slow.elapsed.total_seconds() >= 0.2
    http.put("/demo/latency", json={"ms": 100})
    assert ask(http).elapsed.total_seconds() >= 0.1


def test_timeout_and_hang_up_faults_send_no_response(http: httpx2.Client) -> None:
    http.put("/demo/faults", json=[{"kind": "timeout"}, {"kind": "hang_up"}])
    with pytest.raises(httpx2.ReadTimeout):
        http.post("/v1/responses", json={"model": "demo", "input": "hello"}, timeout=0.3)
    with pytest.raises(httpx2.RemoteProtocolError):
        ask(http)
    assert ask(http).status_code == 200
    assert [r["status"] for r in http.get("/demo/requests").json()["requests"]] == [0, 0, 200]


def test_requests_are_recorded(http: httpx2.Client) -> None:
    http.delete("/demo/requests")
    ask(http, metadata={"session": "s1", "agent": "Bank"})
    ask(http, "hello", metadata={"session": "s2"})
    [record] = http.get("/demo/requests", params={"session": "s1"}).json()["requests"]
    assert (record["user"], record["step"], record["items"]) == ("what is my balance?", 0, 1)
    assert record["metadata"] == {"session": "s1", "agent": "Bank"}
    assert record["answer"]["output"][0]["name"] == "get_balance"
    assert "body" not in record
    full = http.get("/demo/requests", params={"full": "1"}).json()["requests"]
    assert [r["body"]["input"] for r in full] == ["what is my balance?", "hello"]
    assert http.get("/demo/count").json() == {"count": 2}


def test_script_can_be_set_and_removed(http: httpx2.Client) -> None:
    scene = {"user": "hello", "steps": [{"text": "scripted"}]}
    assert http.put("/demo/script", json=[scene]).json() == {"mode": "script"}
    assert ask(http, "hello").json()["output"][0]["content"][0]["text"] == "scripted"
    assert ask(http).json()["error"]["code"] == "script_exhausted"
    assert http.delete("/demo/script").json() == {"mode": "rules"}
    assert ask(http).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/demo/faults", b"{}", 400),
        ("PUT", "/demo/faults", b"[{}]", 400),
        ("PUT", "/demo/faults", b'[{"kind":"empty","times":"x"}]', 400),
        ("PUT", "/demo/script", b"nonsense", 400),
        ("PUT", "/demo/latency", b'{"ms":-1}', 400),
        ("POST", "/v1/responses", b"nonsense", 400),
        ("GET", "/v1/responses", b"", 405),
        ("GET", "/nowhere", b"", 404),
    ],
)
def test_invalid_request_gets_an_error_body(
    http: httpx2.Client, method: str, path: str, body: bytes, status: int
) -> None:
    given = http.request(method, path, content=body)
    assert given.status_code == status
    assert given.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_web_page_cannot_use_the_server(http: httpx2.Client, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/demo/requests"), ("DELETE", "/demo/script"), ("POST", "/v1/responses")):
        given = http.request(method, path, headers=headers)
        assert (given.status_code, given.json()["error"]["code"]) == (403, "web_page")


def test_script_file_is_read_at_start(start_server: StartServer, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"user": "hello", "steps": [{"text": "from the file"}]}]')
    url = start_server(DEMO_MODEL_MODE="script", DEMO_MODEL_SCRIPT=str(script))
    body = httpx2.post(f"{url}/v1/responses", json={"model": "demo", "input": "hello"}).json()
    assert body["output"][0]["content"][0]["text"] == "from the file"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PORT": "nonsense"}, "PORT: "),
        ({"DEMO_MODEL_MODE": "script"}, "DEMO_MODEL_SCRIPT must name"),
        ({"DEMO_MODEL_MODE": "script", "DEMO_MODEL_SCRIPT": "/nowhere.json"}, "cannot read the script /nowhere.json"),
        ({}, "set PORT to a free port"),
    ],
)
def test_server_prints_one_line_when_it_cannot_start(environment: dict[str, str], sentence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PORT": port, **environment}
        command = [sys.executable, "-m", "switchboard.demo_model"]
        ended = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
