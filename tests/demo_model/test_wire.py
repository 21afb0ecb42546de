"""Invalid requests are rejected, and the official client can parse every kind of reply."""

import orjson
import pytest
from openai.types.responses import Response

from switchboard.demo_model.wire import ApiError, NewCall, Reply, build_response, call_id, read_request

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "ok"}


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (b"", None, "not valid JSON"),
        (b"[]", None, "must be a JSON object"),
        (b'{"input":"x"}', "model", "Missing required parameter: 'model'"),
        (b'{"model":"m"}', "input", "must be a string or a list"),
        (b'{"model":"m","input":"x","stream":"yes"}', "stream", "expected bool"),
        (b'{"model":"m","input":"x","previous_response_id":"r"}', "previous_response_id", "keeps no state"),
        (b'{"model":"m","input":"x","tools":{}}', "tools", "expected list"),
        (b'{"model":"m","input":"x","metadata":{"a":1}}', "metadata", "must be a string"),
        (b'{"model":"m","input":[1]}', "input[0]", "must be an object"),
        (b'{"model":"m","input":[{"role":"user"}]}', "input[0].content", "a string or a list of parts"),
        (orjson.dumps({"model": "m", "input": [CALL]}), "input", "No tool output found for function call c1"),
        (orjson.dumps({"model": "m", "input": [OUTPUT]}), "input", "No tool call found for function call output"),
    ],
)
def test_invalid_request_is_rejected_with_its_parameter(body: bytes, param: str | None, message: str) -> None:
    with pytest.raises(ApiError, match=message.replace("[", r"\[")) as caught:
        read_request(body)
    assert caught.value.status == 400
    assert orjson.loads(caught.value.body())["error"]["param"] == param


@pytest.mark.parametrize(
    "reply",
    [
        Reply("hello"),
        Reply(calls=(NewCall("f", "{}"), NewCall("f", '{"broken": '))),
        Reply("first this", calls=(NewCall("f", "{}"),)),
        Reply(refusal="no"),
        Reply("half", incomplete=True),
        Reply(),
    ],
)
def test_official_client_parses_the_response(reply: Reply) -> None:
    tool = {"type": "function", "name": "f", "description": "", "parameters": {}, "strict": True}
    request = read_request(orjson.dumps({"model": "m", "input": [CALL, OUTPUT], "tools": [tool]}))
    response = Response.model_validate(orjson.loads(build_response(request, reply)), strict=False)
    assert response.output_text == reply.text
    assert [i.arguments for i in response.output if i.type == "function_call"] == [c.arguments for c in reply.calls]
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_call_id_depends_on_position_and_name_only() -> None:
    assert call_id(3, "f") == call_id(3, "f")
    assert len({call_id(3, "f"), call_id(4, "f"), call_id(3, "g")}) == 3
