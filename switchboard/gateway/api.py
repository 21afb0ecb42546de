"""The sessions over HTTP: each address is a handler of the Session object, for whoever the token proves."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from switchboard.gateway.body import buffer_body
from switchboard.gateway.contract import Decision, IdempotencyKey, NewMessage, ProblemDetails, SessionId
from switchboard.gateway.identity import Caller, TokenRefused, TokenVerifier
from switchboard.gateway.middleware import CLIENT_CLOSED_REQUEST, IDEMPOTENCY_KEY
from switchboard.gateway.probes import Readiness, health, told
from switchboard.gateway.problems import PROBLEM_JSON, Problem, on_defect, on_http_error, on_invalid, on_problem
from switchboard.gateway.sessions import ClientDisconnected, SessionClient
from switchboard.gateway.spans import describe
from switchboard.messages import WireModel
from switchboard.session.contract import (
    MESSAGE_MAX_BYTES,
    TRANSCRIPT_PAGE_MAX_TURNS,
    CustomerRequest,
    HeldDecision,
    Interruption,
    SendMessage,
    SendReply,
    SessionStatus,
    Transcript,
    TranscriptRequest,
    check_text,
)
from switchboard.telemetry.spans import CONVERSATION

OPENAPI = "/v1/openapi.json"

# FastAPI would use a customer's traceparent as the parent of its spans, and log what customers write. Our own spans
# and logs are in middleware.py.
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}

NO_TOKEN = "Send your token as `Authorization: Bearer …`."

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "content": {PROBLEM_JSON: {}}}
    for status in (400, 401, 403, 404, 409, 413, 422, 503)
}

CALLER = "switchboard.caller"
"""What of a request's scope says whom its token proves."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AuthenticatedRoute(APIRoute):
    """An address whose body is not read before its token was: without one, nobody may hold a place by dripping."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def authenticate_first(request: Request) -> Response:
            request.scope[CALLER] = await prove(request)
            return await handle(Request(request.scope, await buffer_body(request.receive)))

        return authenticate_first


bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A token of whoever signs customers in.")
Key = Annotated[IdempotencyKey | None, Header(alias="Idempotency-Key")]
sessions = APIRouter(prefix="/v1/sessions/{session_id}", responses=PROBLEMS, route_class=AuthenticatedRoute)
probes = APIRouter()


def create_app(session_client: SessionClient, tokens: TokenVerifier, readiness: Readiness) -> FastAPI:
    """The API, with all that it depends on."""
    app = FastAPI(
        title="Switchboard",
        description="Conversations with a mesh of customer-service agents.",
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    app.state.session_client, app.state.tokens, app.state.readiness = session_client, tokens, readiness
    app.include_router(sessions)
    app.include_router(probes)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_defect)
    return app


async def proven(
    request: Request, session_id: SessionId, _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """Whom the token has proven; that there is one stands in the API's document."""
    describe(CONVERSATION, session_id)
    caller: Caller = request.scope[CALLER]
    return caller


async def prove(request: Request) -> Caller:
    """Whom the token proves. Raises Problem 401 (RFC 6750)."""
    credentials = await bearer(request)
    if credentials is None:
        raise unauthorized(NO_TOKEN, 'Bearer realm="switchboard"')
    tokens: TokenVerifier = request.app.state.tokens
    try:
        return await tokens.caller(credentials.credentials)
    except TokenRefused as error:
        said = f"The token {error}."
        raise unauthorized(said, 'Bearer realm="switchboard", error="invalid_token"') from error


def unauthorized(detail: str, challenge: str) -> Problem:
    problem = Problem(401, "unauthorized", detail)
    problem.headers["www-authenticate"] = challenge
    return problem


AuthenticatedCaller = Annotated[Caller, Depends(proven)]


@sessions.post("/messages", response_model=SendReply)
async def send_message(
    request: Request,
    session_id: SessionId,
    message: NewMessage,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Send a message and wait for its reply. The first one begins the session, which then is this customer's."""
    asked = SendMessage(
        customer_id=caller.customer_id, signed_in=caller.signed_in, text=validated_text(message.text), seen=message.seen
    )
    handler = "steer" if message.interrupt else "send"
    return await deliver(request, caller, session_id, handler, asked, idempotency_key)


@sessions.post("/confirm", response_model=SendReply)
async def confirm(
    request: Request,
    session_id: SessionId,
    decision: Decision,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Say yes to what a reply's `confirmation` has asked: exactly that is done, once."""
    return await decide(request, session_id, "confirm", decision, caller, idempotency_key)


@sessions.post("/decline", response_model=SendReply)
async def decline(
    request: Request,
    session_id: SessionId,
    decision: Decision,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Say no to what a reply's `confirmation` has asked."""
    return await decide(request, session_id, "decline", decision, caller, idempotency_key)


async def decide(
    request: Request, session_id: str, handler: str, decision: Decision, caller: Caller, key: str | None
) -> Response:
    asked = HeldDecision(customer_id=caller.customer_id, signed_in=caller.signed_in, held_id=decision.held_id)
    return await deliver(request, caller, session_id, handler, asked, key)


@sessions.post("/interrupt", response_model=Interruption)
async def interrupt(
    request: Request, session_id: SessionId, caller: AuthenticatedCaller, idempotency_key: Key = None
) -> Response:
    """Stop the turn that runs. Its message is answered with what was done and what was not."""
    session_client: SessionClient = request.app.state.session_client
    asked = CustomerRequest(customer_id=caller.customer_id, signed_in=caller.signed_in)
    # Tried again after a broken connection, it must not stop the turn after the one that was meant.
    key = effective_key(request, idempotency_key)
    return answer(await session_client.call(caller, session_id, "interrupt", asked, key))


@sessions.get("/transcript", response_model=Transcript)
async def transcript(
    request: Request,
    session_id: SessionId,
    caller: AuthenticatedCaller,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)] = 20,
) -> Response:
    """What was said and done, the turns after number `after`, oldest first."""
    session_client: SessionClient = request.app.state.session_client
    asked = TranscriptRequest(customer_id=caller.customer_id, signed_in=caller.signed_in, after=after, limit=limit)
    return answer(await session_client.read(session_id, "transcript", asked))


@sessions.get("/status", response_model=SessionStatus)
async def status(request: Request, session_id: SessionId, caller: AuthenticatedCaller) -> Response:
    """How the session stands, also while a turn runs."""
    session_client: SessionClient = request.app.state.session_client
    asked = CustomerRequest(customer_id=caller.customer_id, signed_in=caller.signed_in)
    return answer(await session_client.read(session_id, "status", asked))


@probes.get("/health", include_in_schema=False)
async def healthy() -> Response:
    """This process answers."""
    return await told(health)


@probes.get("/ready", include_in_schema=False)
async def ready(request: Request) -> Response:
    """Restate can be asked, and this process goes on."""
    readiness: Readiness = request.app.state.readiness
    return await told(readiness.check)


async def deliver(
    request: Request, caller: Caller, session_id: str, handler: str, asked: WireModel, idempotency_key: str | None
) -> Response:
    """Hand in what must be done once."""
    session_client: SessionClient = request.app.state.session_client
    key = effective_key(request, idempotency_key)
    try:
        content = await session_client.deliver(caller, session_id, handler, asked, key, request.receive)
    except ClientDisconnected:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return answer(content)


def effective_key(request: Request, idempotency_key: str | None) -> str:
    """The client's key, or one of ours. It is told in any case: with it the same can be asked again."""
    key = idempotency_key or uuid4().hex
    request.scope[IDEMPOTENCY_KEY] = key
    return key


def answer(content: bytes) -> Response:
    """What the session has answered, as it is."""
    return Response(content, media_type="application/json")


def validated_text(text: str) -> str:
    """A message that a session takes. Raises Problem."""
    size = len(text.encode())
    if size > MESSAGE_MAX_BYTES:
        said = f"The message is {size} bytes long, at most {MESSAGE_MAX_BYTES} are taken. Send it in parts."
        raise Problem(413, "message_too_large", said)
    try:
        return check_text(text)
    except ValueError as error:
        raise Problem(400, "request_invalid", f"The message {error}.") from error
