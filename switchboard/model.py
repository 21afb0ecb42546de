"""The only door to a language model: builds the request, sends it once, reads the reply. No retries here."""

import asyncio
import email.utils
import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from switchboard.agent import HANDOFF_PREFIX, Agent
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

MODEL_CALL_TIMEOUT = timedelta(seconds=60)
"""For the whole call, from connecting to the last byte."""

RETRY_AFTER_MAX = timedelta(seconds=30)
"""The longest pause that an endpoint may ask for: a customer is waiting, and the session is held meanwhile."""

TRANSIENT_STATUS = frozenset({408, 409, 425, 429})
"""Beside every 5xx: the same request may succeed later."""

QUOTA_USED_UP = "insufficient_quota"
"""The code of a 429 that no waiting mends."""


class ModelUnavailable(Exception):
    """The call failed in a way that may pass: 429, 5xx, no connection, no answer in time, an answer cut off.

    `retry_after` is what the endpoint asked for, at most RETRY_AFTER_MAX; None when it did not say.
    """

    def __init__(self, why: str, retry_after: timedelta | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class ModelRejected(Exception):
    """The endpoint will never take this request: bad key, unknown model, malformed request, quota used up."""


class Model(Protocol):
    """Anything that can answer: the endpoint below, or what a test or a benchmark puts in its place.

    Raises ModelUnavailable or ModelRejected, and nothing else on purpose.
    """

    name: str

    async def ask(self, agent: Agent, request: TurnRequest, added: Sequence[Message]) -> ModelReply: ...


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
        async with self._queue:
            return read_reply(await self._send(body), agent.name, self.name)

    async def _send(self, body: dict[str, Any]) -> bytes:
        """The answer's bytes. The time-out is ours and covers the call, not the wait for its turn."""
        try:
            async with asyncio.timeout(self._call_timeout.total_seconds()):
                # The client's own low-level call: `responses.create` spends more CPU on re-checking what is typed
                # already than everything else in this service together (docs/performance.md).
                response = await self._client.post("/responses", cast_to=httpx2.Response, body=body)
                return bytes(response.content)
        except TimeoutError as error:
            raise ModelUnavailable(f"no answer within {self._call_timeout.total_seconds():.0f} s") from error
        except openai.APIStatusError as error:
            raise classify(error) from error
        except openai.APIConnectionError as error:
            raise ModelUnavailable(f"cannot reach the model: {error.__cause__ or error}") from error


def connect(api_key: str, base_url: str | None) -> openai.AsyncOpenAI:
    """A client that never retries on its own: a retry that Restate does not see is one that nobody sees."""
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
    """What stands for the part of the conversation that is not sent any more."""
    return [{"role": "developer", "content": f"Summary of the conversation before this:\n{summary}"}] if summary else []


def items(message: Message) -> list[dict[str, Any]]:
    """One message of the transcript as the API's own typed items."""
    match message:
        case UserText(text=text):
            return [{"role": "user", "content": text}]
        case ModelReply(text=text, calls=calls):
            said = [{"role": "assistant", "content": text}] if text else []
            return said + [
                {"type": "function_call", "call_id": call.call_id, "name": call.tool, "arguments": call.arguments}
                for call in calls
            ]
        case ToolResult(call_id=call_id, ok=ok, content=content):
            output = content if ok else f"Error: {content}"
            return [{"type": "function_call_output", "call_id": call_id, "output": output}]
        case Note(text=text):
            return [{"role": "developer", "content": text}]
        case Notice(text=text):
            return [{"role": "assistant", "content": text}]


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


class _Part(BaseModel):
    type: str
    text: str = ""
    refusal: str = ""


class _Item(BaseModel):
    type: str
    content: list[_Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _Tokens(BaseModel):
    input_tokens: int = 0
    output_tokens: int = 0


class _Failure(BaseModel):
    message: str = ""


class _Response(BaseModel):
    """The few fields of the API's answer that the loop needs; all else is let pass."""

    output: list[_Item]
    status: str = "completed"
    error: _Failure | None = None
    usage: _Tokens | None = None


def read_reply(content: bytes, agent: str, model: str = "") -> ModelReply:
    """The endpoint's answer as a ModelReply. A refusal of the model is its text: the customer should read it.

    Raises ModelUnavailable when the answer is none, or says itself that the model failed.
    """
    try:
        response = _Response.model_validate_json(content)
    except ValidationError as error:
        raise ModelUnavailable(f"the endpoint's answer is not a response: {content[:200]!r}") from error
    if response.status in {"failed", "cancelled"}:
        raise ModelUnavailable(f"the model failed: {response.error.message if response.error else response.status}")
    parts = [part for item in response.output if item.type == "message" for part in item.content or ()]
    calls = [item for item in response.output if item.type == "function_call"]
    tokens = response.usage or _Tokens()
    return ModelReply(
        agent=agent,
        model=model,
        text="".join(part.text or part.refusal for part in parts),
        calls=tuple(
            ToolCall(call_id=call_id, tool=item.name, arguments=item.arguments)
            for call_id, item in zip(distinct_ids(calls), calls, strict=True)
        ),
        usage=Usage(input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens),
    )


def distinct_ids(calls: Sequence[_Item]) -> list[str]:
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
        return ModelUnavailable(why, retry_after(error.response.headers))
    return ModelRejected(why)


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
