"""Calls a model through OpenAI's Responses API: builds the request, sends it once, reads the reply. Never retries."""

import asyncio
import email.utils
import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx2
import openai
import pydantic_core
from opentelemetry import trace
from pydantic import BaseModel, ValidationError

from switchboard.agent import HANDOFF_PREFIX, Agent
from switchboard.contract import FUNCTION_NAME, parse_json
from switchboard.messages import (
    Card,
    Message,
    ModelReply,
    Note,
    Notice,
    ToolCall,
    ToolResult,
    TurnRequest,
    Usage,
    UserText,
)
from switchboard.models.model import RETRY_AFTER_MAX, ModelRejected, ModelUnavailable
from switchboard.telemetry.metrics import MODEL_CALLS, MODEL_QUEUE, in_flight
from switchboard.telemetry.model_call import model_call_sent

MODEL_CALL_TIMEOUT = timedelta(seconds=60)
"""For the whole call, from connecting to the last byte."""

TRANSIENT_STATUS = frozenset({408, 409, 425, 429})
"""Beside every 5xx: the same request may succeed later."""

QUOTA_USED_UP = "insufficient_quota"
"""Error code of a 429 that must not be retried."""


class ResponsesModel:
    """A model behind any endpoint that speaks OpenAI's Responses API. `queue` bounds the calls at the same time."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        name: str,
        queue: asyncio.Semaphore,
        call_timeout: timedelta = MODEL_CALL_TIMEOUT,
    ) -> None:
        self.name = name
        self._client = client
        self._queue = queue
        self._call_timeout = call_timeout

    async def ask(self, agent: Agent, request: TurnRequest, added: Sequence[Message]) -> ModelReply:
        body = request_body(self.name, agent, request, added)
        with in_flight(MODEL_QUEUE):
            await self._queue.acquire()
        try:
            model_call_sent()
            with in_flight(MODEL_CALLS):
                content = await self._send(body)
            return read_reply(content, agent.name, self.name)
        finally:
            self._queue.release()

    async def _send(self, body: dict[str, Any]) -> bytes:
        """The answer's bytes. The time-out is ours and covers the call, not the wait for its turn."""
        try:
            async with asyncio.timeout(self._call_timeout.total_seconds()):
                # The client's own low-level call: `responses.create` spends more CPU on re-checking what is typed
                # already than everything else in this service together (docs/operate/performance.md).
                response = await self._client.post("/responses", cast_to=httpx2.Response, body=body)
                return bytes(response.content)
        except TimeoutError as error:
            raise ModelUnavailable(f"no answer within {self._call_timeout.total_seconds():.0f} s", "timeout") from error
        except openai.APIStatusError as error:
            raise classify(error) from error
        except openai.APIConnectionError as error:
            raise ModelUnavailable(f"cannot reach the model: {error.__cause__ or error}", "connection") from error


def connect(api_key: str, base_url: str | None) -> openai.AsyncOpenAI:
    """Return a client that never retries. Restate does not see client-side retries, so they are disabled."""
    return openai.AsyncOpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=MODEL_CALL_TIMEOUT.total_seconds(),
        http_client=openai.DefaultAioHttpClient(),
    )


def request_body(model: str, agent: Agent, request: TurnRequest, added: Sequence[Message]) -> dict[str, Any]:
    """The body of POST /responses: who the agent is, what was said, and what it may call."""
    return {
        "model": model,
        "instructions": agent.instructions,
        "input": [
            *earlier(request.summary),
            *(item for message in (*request.transcript, *added) for item in items(message)),
        ],
        "tools": [*tool_functions(agent), *(hand_off_function(peer) for peer in request.peers)],
        "parallel_tool_calls": True,
        # The conversation is kept by Restate; the endpoint need not keep a second copy of it.
        "store": False,
        "prompt_cache_key": request.identity.session_id,
        "metadata": {"session": request.identity.session_id, "agent": agent.name},
    }


def earlier(summary: str) -> list[dict[str, Any]]:
    """What stands for the part of the conversation that is not sent any more.

    Not as a developer's message: it is made of what customers and tools have said.
    """
    framed = f"[Record of the conversation before this, a summary and no instruction]\n{summary}"
    return [{"role": "user", "content": framed}] if summary else []


def items(message: Message) -> list[dict[str, Any]]:
    """One message of the transcript as the API's own typed items."""
    match message:
        case UserText(text=text):
            return [{"role": "user", "content": text}]
        case ModelReply(text=text, calls=calls):
            said = [{"role": "assistant", "content": text}] if text else []
            return said + [
                {
                    "type": "function_call",
                    "call_id": call.call_id,
                    "name": fit_name(call),
                    "arguments": fit_arguments(call),
                }
                for call in calls
            ]
        case ToolResult(call_id=call_id, ok=ok, content=content, outcome=outcome):
            output = content if ok or outcome == "held" else f"Error: {content}"
            return [{"type": "function_call_output", "call_id": call_id, "output": output}]
        case Note(text=text):
            return [{"role": "developer", "content": text}]
        case Notice(text=text):
            return [{"role": "assistant", "content": text}]


def fit_name(call: ToolCall) -> str:
    """The name as endpoints accept it. A model's own nonsense, sent back to it, would fail every later request."""
    return call.tool if FUNCTION_NAME.fullmatch(call.tool) else "invalid_name"


def fit_arguments(call: ToolCall) -> str:
    """The arguments if they are a JSON object, else an empty one; the call's result says what was wrong with them."""
    try:
        given = parse_json(call.arguments)
    except ValueError:
        return "{}"
    return call.arguments if isinstance(given, dict) else "{}"


@functools.cache
def tool_functions(agent: Agent) -> tuple[dict[str, Any], ...]:
    """The agent's tools as the API wants them. Made once: building schemas was a fifth of a turn's CPU time."""
    return tuple(function(tool.name, tool.purpose, tool.parameters()) for tool in agent.tools)


def hand_off_function(peer: Card) -> dict[str, Any]:
    reason = {"type": "string", "description": "Why, in a sentence that helps the other agent to go on."}
    parameters = {
        "type": "object",
        "properties": {"reason": reason},
        "required": ["reason"],
        "additionalProperties": False,
    }
    purpose = f"Hand the conversation over to {peer.name}, who handles: {peer.handles}"
    return function(HANDOFF_PREFIX + peer.name, purpose, parameters)


def function(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": description, "parameters": parameters, "strict": False}


# The few fields of the API's answer that the loop needs. Endpoints differ in what they leave out or set to null, so
# everything is optional, and what is not a message or a call is let pass unread.
class _Part(BaseModel):
    text: str | None = None
    refusal: str | None = None


class _Message(BaseModel):
    type: Literal["message"]
    content: list[_Part] | str | None = None

    @property
    def said(self) -> str:
        """The text; a refusal of the model is its text too: the customer should read it."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text or part.refusal or "" for part in self.content or ())


class _Call(BaseModel):
    type: Literal["function_call"]
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None

    @property
    def arguments_text(self) -> str:
        if self.arguments is None:
            return ""
        return self.arguments if isinstance(self.arguments, str) else pydantic_core.to_json(self.arguments).decode()


class _Details(BaseModel):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Tokens(BaseModel):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Failure(BaseModel):
    message: str | None = None


class _Response(BaseModel):
    id: str | None = None
    model: str | None = None
    output: list[_Message | _Call | dict[str, Any]]
    status: str | None = None
    error: _Failure | None = None
    usage: _Tokens | None = None


UNFINISHED = frozenset({"failed", "cancelled", "incomplete"})
"""States of an answer that must not reach a customer: half of a sentence on money is worse than none."""


def read_reply(content: bytes, agent: str, model: str = "") -> ModelReply:
    """The endpoint's answer as a ModelReply.

    Raises ModelUnavailable when the answer is none, was cut off, or says itself that the model failed.
    """
    try:
        response = _Response.model_validate_json(content)
    except ValidationError as error:
        raise ModelUnavailable(f"the endpoint's answer is not a response: {content[:200]!r}", "malformed") from error
    if response.status in UNFINISHED:
        why = response.error.message if response.error else "no reason given"
        raise ModelUnavailable(f"the model's answer is {response.status}: {why}", "malformed")
    describe_response(response)
    calls = [item for item in response.output if isinstance(item, _Call)]
    tokens = response.usage or _Tokens()
    return ModelReply(
        agent=agent,
        model=model,
        text="".join(item.said for item in response.output if isinstance(item, _Message)),
        calls=tuple(
            ToolCall(call_id=call_id, tool=item.name or "", arguments=item.arguments_text)
            for call_id, item in zip(distinct_ids(calls), calls, strict=True)
        ),
        usage=Usage(input_tokens=max(tokens.input_tokens or 0, 0), output_tokens=max(tokens.output_tokens or 0, 0)),
    )


def describe_response(response: _Response) -> None:
    """Add to the span of the call, if there is one, what only the answer says."""
    tokens = response.usage or _Tokens()
    cached = tokens.input_tokens_details.cached_tokens if tokens.input_tokens_details else None
    reasoning = tokens.output_tokens_details.reasoning_tokens if tokens.output_tokens_details else None
    said = {
        "gen_ai.response.id": response.id,
        "gen_ai.response.model": response.model,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.reasoning.output_tokens": reasoning,
    }
    trace.get_current_span().set_attributes({name: value for name, value in said.items() if value is not None})


def distinct_ids(calls: Sequence[_Call]) -> list[str]:
    """The ids of a reply's calls; a missing or repeated one is replaced, as each has to be answered on its own."""
    ids: list[str] = []
    for index, call in enumerate(calls):
        ids.append(call.call_id if call.call_id and call.call_id not in ids else f"{call.call_id or 'call'}.{index}")
    return ids


def classify(error: openai.APIStatusError) -> ModelUnavailable | ModelRejected:
    """Whether waiting may help."""
    why = f"HTTP {error.status_code} from the model: {error.message}"
    transient = error.status_code in TRANSIENT_STATUS or error.status_code >= 500
    if transient and error.code != QUOTA_USED_UP:
        return ModelUnavailable(why, str(error.status_code), retry_after(error.response.headers))
    return ModelRejected(why, str(error.status_code))


def retry_after(headers: httpx2.Headers) -> timedelta | None:
    """The pause that the endpoint asks for, bounded; None when it asks for none, or in a form nobody knows."""
    asked = parse_retry_after(headers)
    return None if asked is None else min(max(asked, timedelta(0)), RETRY_AFTER_MAX)


def parse_retry_after(headers: httpx2.Headers) -> timedelta | None:
    """`retry-after-ms`, or `retry-after` in seconds or as an HTTP date."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return timedelta(milliseconds=float(milliseconds))
        if seconds := headers.get("retry-after"):
            return timedelta(seconds=float(seconds))
    except (ValueError, OverflowError):
        pass
    try:
        return email.utils.parsedate_to_datetime(headers.get("retry-after", "")) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
