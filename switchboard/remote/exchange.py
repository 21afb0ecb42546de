"""Requests to one remote agent with the A2A SDK. What it answers is bounded, and it is believed about nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from a2a.client import A2ACardResolver, A2AClientTimeoutError, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    Task,
    TaskState,
)
from a2a.utils.constants import TransportProtocol
from a2a.utils.errors import A2AError, InternalError, TaskNotCancelableError
from opentelemetry.trace import SpanKind, Status, StatusCode
from pydantic import SecretStr

from switchboard.credentials import credentials_in, without_credentials
from switchboard.remote.wire import Outgoing, RemoteTask, State
from switchboard.telemetry import spans
from switchboard.text import message_text

ANSWER_MAX_BYTES = 1024 * 1024
"""Size of a response of a remote agent. Longer ones are not read."""

TEXT_MAX_BYTES = 6 * 1024
"""Of a remote agent's words. They must fit into a message of a session, with a sentence around them."""

ID_MAX_CHARS = 512
CUT = " […]"
CLIENT_ERROR, SERVER_ERROR, TOO_MANY_REQUESTS = 400, 500, 429

STATES: dict[int, State] = {
    TaskState.TASK_STATE_SUBMITTED: "working",
    TaskState.TASK_STATE_WORKING: "working",
    TaskState.TASK_STATE_INPUT_REQUIRED: "asks",
    TaskState.TASK_STATE_COMPLETED: "completed",
    TaskState.TASK_STATE_FAILED: "failed",
    TaskState.TASK_STATE_CANCELED: "canceled",
    TaskState.TASK_STATE_REJECTED: "rejected",
    TaskState.TASK_STATE_AUTH_REQUIRED: "needs_sign_in",
}

BINDINGS = [TransportProtocol.JSONRPC.value, TransportProtocol.HTTP_JSON.value]


Ask = Callable[[Client], Awaitable[RemoteTask]]


class Away(Exception):
    """The remote agent does not answer, or is overloaded. The same request may be sent again."""


class Unusable(Exception):
    """The remote agent's answer cannot be used. The message completes a sentence: `It …`."""


class Exchange:
    """The requests to one remote agent. They raise Away; an unusable answer is a task that has failed.

    `parent` is the span of the invocation that makes the request.
    """

    def __init__(self, url: str, token: SecretStr | None, timeout: timedelta) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout.total_seconds()

    async def send(self, outgoing: Outgoing, parent: spans.HandlerSpan | None = None) -> RemoteTask:
        """Send a message, and do not wait for the answer. The same message may be sent again."""
        request = SendMessageRequest(
            message=Message(
                message_id=outgoing.message_id,
                role=Role.ROLE_USER,
                context_id=outgoing.context_id,
                task_id=outgoing.task_id,
                parts=[Part(text=text) for text in (outgoing.text, outgoing.note) if text],
            ),
            configuration=SendMessageConfiguration(
                return_immediately=True, accepted_output_modes=["text/plain", "application/json"]
            ),
        )

        async def send(client: Client) -> RemoteTask:
            async for answer in client.send_message(request):
                task = task_in(answer.message) if answer.HasField("message") else read_task(answer.task)
                refuse_other_task(outgoing, task)
                return task
            raise Unusable("answered nothing")

        return await self._ask(send, outgoing.context_id, outgoing.task_id, parent)

    async def get(self, context_id: str, task_id: str, parent: spans.HandlerSpan | None = None) -> RemoteTask:
        """Return how a task stands."""

        async def get(client: Client) -> RemoteTask:
            task = await client.get_task(GetTaskRequest(id=task_id, history_length=1))
            if task.id != task_id:
                raise Unusable("answered about another task")
            return read_task(task)

        return await self._ask(get, context_id, task_id, parent)

    async def cancel(self, task_id: str, parent: spans.HandlerSpan | None = None) -> None:
        """Cancel a task. One that cannot be cancelled has ended, or ends by itself."""

        async def cancel(client: Client) -> RemoteTask:
            try:
                return read_task(await client.cancel_task(CancelTaskRequest(id=task_id)))
            except TaskNotCancelableError:
                return RemoteTask(state="canceled")

        await self._ask(cancel, "", task_id, parent)

    async def _ask(self, request: Ask, context_id: str, task_id: str, parent: spans.HandlerSpan | None) -> RemoteTask:
        try:
            # httpx limits the wait for each piece only, and a remote agent may send one byte at a time.
            async with asyncio.timeout(self._timeout_s), self._http(parent) as http:
                return await request(await self._client(http))
        except TimeoutError as error:
            raise Away("no answer in time") from error
        except (Unusable, A2AError, httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, AttributeError) as error:
            if is_away(error):
                raise Away(type(error).__name__) from error
            why = str(error) if isinstance(error, Unusable) else "answered with an error, or with no valid A2A"
            return RemoteTask(state="failed", context_id=context_id, task_id=task_id, problem=why)

    async def _client(self, http: httpx.AsyncClient) -> Client:
        """Return a client for the interface that the card names now."""
        card = await A2ACardResolver(http, self._url).get_agent_card()
        config = ClientConfig(streaming=False, polling=True, httpx_client=http, supported_protocol_bindings=BINDINGS)
        return ClientFactory(config).create(self._own_interfaces(card))

    def _own_interfaces(self, card: AgentCard) -> AgentCard:
        """Return the card with the interfaces at the declared address only: our token is for no other host."""
        own = [each for each in card.supported_interfaces if origin(each.url) == origin(self._url)]
        if not own:
            raise Unusable("names another address on its agent card than the declared one")
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(own)
        return card

    def _http(self, parent: spans.HandlerSpan | None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self._token.get_secret_value()}"} if self._token else {}
        return httpx.AsyncClient(
            transport=BoundedTransport(httpx.AsyncHTTPTransport(), parent),
            headers=headers,
            timeout=self._timeout_s,
            follow_redirects=False,
            trust_env=False,
        )


class BoundedTransport(httpx.AsyncBaseTransport):
    """Reads at most ANSWER_MAX_BYTES of each response. Each request is a span below `parent`, by OpenTelemetry's
    conventions for HTTP. It has no path, which may contain a task's id, and no words."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, parent: spans.HandlerSpan | None) -> None:
        self._inner = inner
        self._parent = parent

    async def _send(self, request: httpx.Request) -> httpx.Response:
        attributes: spans.Attributes = {
            "http.request.method": request.method,
            "server.address": request.url.host,
            "server.port": request.url.port or (443 if request.url.scheme == "https" else 80),
        }
        with spans.child_span(self._parent, request.method, SpanKind.CLIENT, attributes) as span:
            response = await self._inner.handle_async_request(request)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= CLIENT_ERROR:
                span.set_attribute("error.type", str(response.status_code))
                span.set_status(Status(StatusCode.ERROR))
            return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # A compressed answer could be much longer than its bytes.
        request.headers["accept-encoding"] = "identity"
        response = await self._send(request)
        if "content-encoding" in response.headers:
            await response.aclose()
            raise Unusable("sent a compressed answer, which was not asked for")
        sent = credentials_in(request.headers.get_list("authorization"))
        content = without_credentials(await read_bounded(response), sent)
        refuse_other_id(await request.aread(), content)
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def read_bounded(response: httpx.Response) -> bytes:
    """Return a response's body. Raises Unusable if it is too long."""
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > ANSWER_MAX_BYTES:
            await response.aclose()
            raise Unusable(f"answered with more than {ANSWER_MAX_BYTES} bytes")
    return bytes(content)


def refuse_other_id(sent: bytes, answered: bytes) -> None:
    """Raise Unusable for a JSON-RPC answer to another request. The SDK does not compare the ids."""
    ids = [rpc_id(sent), rpc_id(answered)]
    if None not in ids and ids[0] != ids[1]:
        raise Unusable("answered another request than the one that was sent")


def rpc_id(content: bytes) -> Any:
    """Return the id in a JSON-RPC message; None if there is none."""
    try:
        message = json.loads(content)
    except ValueError:
        return None
    return message.get("id") if isinstance(message, dict) and "jsonrpc" in message else None


def is_away(error: BaseException) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, A2AClientTimeoutError | InternalError | httpx.TransportError):
        return True
    cause = error.__cause__
    if isinstance(error, A2AClientError) and isinstance(cause, httpx.HTTPStatusError):
        status = cause.response.status_code
        return status >= SERVER_ERROR or status == TOO_MANY_REQUESTS
    return isinstance(error, A2AClientError) and isinstance(cause, httpx.TransportError)


def origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def read_task(task: Task) -> RemoteTask:
    """Return a task. What it says is in its artifacts when it is completed, and else in the message of its status."""
    if not task.id or len(task.id) > ID_MAX_CHARS or len(task.context_id) > ID_MAX_CHARS:
        raise Unusable("answered with a task that has no valid id")
    state = STATES.get(task.status.state)
    if state is None:
        raise Unusable("answered with a task in an unknown state")
    parts = [part for artifact in task.artifacts for part in artifact.parts] if state == "completed" else []
    text = text_of([*parts, *task.status.message.parts]) if state != "working" else ""
    return RemoteTask(state=state, context_id=task.context_id, task_id=task.id, text=text)


def refuse_other_task(outgoing: Outgoing, task: RemoteTask) -> None:
    """Raise Unusable if the answer is not about what the message continues."""
    if outgoing.context_id and task.context_id and task.context_id != outgoing.context_id:
        raise Unusable("answered in another context")
    if outgoing.task_id and task.task_id and task.task_id != outgoing.task_id:
        raise Unusable("answered about another task")


def task_in(message: Message) -> RemoteTask:
    """Return an answer without a task as a task that is completed."""
    if len(message.context_id) > ID_MAX_CHARS:
        raise Unusable("answered with a context that has no valid id")
    return RemoteTask(state="completed", context_id=message.context_id, text=text_of(message.parts))


def text_of(parts: Any) -> str:
    """Return the words of a remote agent as people and models may read them. Other parts than texts are named."""
    said = [part.text if part.HasField("text") else f"[{kind_of(part)}]" for part in parts]
    text = message_text("\n".join(dict.fromkeys(each for each in said if each))).strip()
    content = text.encode()
    return text if len(content) <= TEXT_MAX_BYTES else content[:TEXT_MAX_BYTES].decode(errors="ignore") + CUT


def kind_of(part: Part) -> str:
    return "data, which is not shown" if part.HasField("data") else "a file, which is not shown"
