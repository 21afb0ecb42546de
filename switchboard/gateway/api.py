"""The HTTP API of sessions. Each path calls a handler of the Session object for the customer in the token."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from switchboard.gateway.body import BODY_MAX_BYTES, buffer_body
from switchboard.gateway.contract import (
    Decision,
    IdempotencyKey,
    NewMessage,
    NewRating,
    NewSession,
    SessionId,
    TurnNumber,
)
from switchboard.gateway.event_streams import (
    DOCUMENTED_ANSWER,
    DOCUMENTED_STREAM,
    After,
    LastEventId,
    Run,
    answer_stream,
    customer_reader,
    never,
    session_stream,
    wants_events,
)
from switchboard.gateway.feed import Audience
from switchboard.gateway.hub import Hub
from switchboard.gateway.identity import Caller, TokenRefused, TokenVerifier
from switchboard.gateway.middleware import CLIENT_CLOSED_REQUEST, IDEMPOTENCY_KEY
from switchboard.gateway.openapi import PROBLEMS, document_problems
from switchboard.gateway.places import Places
from switchboard.gateway.probes import Readiness, health, probe_response
from switchboard.gateway.problems import (
    Problem,
    on_http_error,
    on_invalid,
    on_problem,
    on_unexpected_error,
)
from switchboard.gateway.sessions import ClientDisconnected, SessionClient
from switchboard.gateway.settings import EVENTS_REPLAY_TURNS_MAX
from switchboard.gateway.spans import set_attribute
from switchboard.messages import WireModel
from switchboard.session.contract import (
    MESSAGE_MAX_BYTES,
    OTHER_CUSTOMERS_SESSION,
    TRANSCRIPT_PAGE_MAX_TURNS,
    CustomerRequest,
    HeldDecision,
    Interruption,
    Rated,
    RateTurn,
    SendMessage,
    SendReply,
    SessionStatus,
    Transcript,
    TranscriptRequest,
    check_text,
)
from switchboard.session_ids import (
    made_for,
    make_repeatable_session_id,
    make_session_id,
    may_use,
    own_session_id,
    public_part,
)
from switchboard.speaker import SpeakerKeys
from switchboard.telemetry.spans import CONVERSATION

OPENAPI = "/v1/openapi.json"

# FastAPI would use a customer's traceparent as the parent of its spans, and log what customers write. Our own spans
# and logs are in middleware.py.
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}

NO_TOKEN = "The request has no token. Send one as `Authorization: Bearer …`."

NOT_ISSUED = (
    "Before sign-in, a session needs an id that the gateway has made for its customer. Get one with POST /v1/sessions."
)

WAITING_PATHS = ("/messages", "/confirm", "/decline", "/agui")
"""Paths whose requests wait for a turn. Only these count as a customer's requests in progress, so that a customer can
always stop a turn and read."""

CALLER = "switchboard.caller"
"""Entry of a request's scope that holds the authenticated caller."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AuthenticatedRoute(APIRoute):
    """Authenticates before reading the body, so that unauthenticated slow clients cannot hold a slot."""

    body_max_bytes = BODY_MAX_BYTES

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def authenticate_first(request: Request) -> Response:
            caller = request.scope[CALLER] = await self.authenticate(request)
            places: Places = request.app.state.places
            with places.taken(caller, waits=self.path.endswith(WAITING_PATHS)):
                return await handle(Request(request.scope, await buffer_body(request.receive, self.body_max_bytes)))

        return authenticate_first

    async def authenticate(self, request: Request) -> object:
        """Return the caller. Raises Problem 401."""
        return await authenticate(request)


bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="JWT that identifies the customer.")
Key = Annotated[IdempotencyKey | None, Header(alias="Idempotency-Key")]
new_sessions = APIRouter(prefix="/v1/sessions", responses=PROBLEMS, route_class=AuthenticatedRoute)
sessions = APIRouter(prefix="/v1/sessions/{session_id}", responses=PROBLEMS, route_class=AuthenticatedRoute)
probes = APIRouter()


def create_app(
    session_client: SessionClient,
    tokens: TokenVerifier,
    readiness: Readiness,
    places: Places,
    hub: Hub,
    speaker: SpeakerKeys | None = None,
    events_replay_turns_max: int = EVENTS_REPLAY_TURNS_MAX,
) -> FastAPI:
    """Create the API with its dependencies.

    `places` are the customers' shares. `hub` knows who watches which session. `speaker` proves which session ids this
    mesh has made. A viewer can continue at most `events_replay_turns_max` turns ago.
    """
    app = FastAPI(
        title="Switchboard",
        description="Conversations with a mesh of customer-service agents.",
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        # A redirect would go to the host that the client named.
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.state.session_client, app.state.tokens, app.state.readiness = session_client, tokens, readiness
    app.state.places = places
    app.state.hub = hub
    app.state.events_replay_turns_max = events_replay_turns_max
    app.state.speaker = speaker
    document_problems(app)
    app.include_router(new_sessions)
    app.include_router(sessions)
    app.include_router(probes)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_unexpected_error)
    return app


async def authenticated_caller(
    request: Request, session_id: SessionId, _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """Return the caller of the request; `bearer` only documents the token in the OpenAPI document."""
    return caller_in(request, session_id)


def caller_in(request: Request, session_id: str) -> Caller:
    """Return the caller of a request to this session. Raises Problem 403 for an id that the caller cannot use."""
    set_attribute(CONVERSATION, public_part(session_id))
    caller: Caller = request.scope[CALLER]
    speaker: SpeakerKeys | None = request.app.state.speaker
    if speaker is not None and not caller.signed_in and not made_for(session_id, caller.customer_id, speaker):
        raise Problem(403, "session_not_issued", NOT_ISSUED)
    if not may_use(session_id, caller.standing):
        raise Problem(403, "session_forbidden", OTHER_CUSTOMERS_SESSION)
    return caller


def first_session(caller: Caller, prefix: str, given: str, speaker: SpeakerKeys | None) -> str:
    """Return the session of a first message that has only a client's own id, such as its idempotency key.

    The same message comes to the same session each time, so that a retry finds it. No other caller comes to it, even
    one who guesses `given`. Before sign-in, only the same token does: others may claim to be the same customer.
    """
    if caller.signed_in:
        return own_session_id(prefix, given, caller.standing)
    secret = f"{caller.token_digest}/{prefix}/{given}"
    return make_repeatable_session_id(caller.customer_id, secret, speaker)


async def authenticate(request: Request) -> Caller:
    """Return the caller that the token identifies. Raises Problem 401 (RFC 6750)."""
    tokens: TokenVerifier = request.app.state.tokens
    try:
        return await tokens.verify(await token_of(request))
    except TokenRefused as error:
        detail = f"The token {error}."
        raise unauthorized(detail, 'Bearer realm="switchboard", error="invalid_token"') from error


async def token_of(request: Request) -> str:
    """Return the request's bearer token. Raises Problem 401."""
    credentials = await bearer(request)
    if credentials is None:
        raise unauthorized(NO_TOKEN, 'Bearer realm="switchboard"')
    return credentials.credentials


def unauthorized(detail: str, challenge: str) -> Problem:
    problem = Problem(401, "unauthorized", detail)
    problem.headers["www-authenticate"] = challenge
    return problem


AuthenticatedCaller = Annotated[Caller, Depends(authenticated_caller)]


@new_sessions.post("", status_code=201)
async def make_session(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> NewSession:
    """Make the id of a session. It has 128 random bits: keep it secret. The first message starts the session.

    A customer who has not signed in needs such an id. A signed-in customer may also choose one.
    """
    caller: Caller = request.scope[CALLER]
    session_id = make_session_id(caller.customer_id, request.app.state.speaker)
    hub: Hub = request.app.state.hub
    hub.know(session_id, caller, 0)
    return NewSession(session_id=session_id)


@sessions.post("/messages", response_model=SendReply, responses=DOCUMENTED_ANSWER)
async def send_message(
    request: Request,
    session_id: SessionId,
    message: NewMessage,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Send a message and wait for the reply. The first message creates the session for this customer.

    With `Accept: text/event-stream`, the events of the message's turn are sent until its reply, which is the last one.
    """
    payload = SendMessage(
        customer_id=caller.customer_id, signed_in=caller.signed_in, text=validated_text(message.text), seen=message.seen
    )
    handler = "steer" if message.interrupt else "send"
    return await deliver(request, caller, session_id, handler, payload, idempotency_key)


@sessions.post("/confirm", response_model=SendReply, responses=DOCUMENTED_ANSWER)
async def confirm(
    request: Request,
    session_id: SessionId,
    decision: Decision,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Confirm the action in a reply's `confirmation`. It is carried out exactly once."""
    return await decide(request, session_id, "confirm", decision, caller, idempotency_key)


@sessions.post("/decline", response_model=SendReply, responses=DOCUMENTED_ANSWER)
async def decline(
    request: Request,
    session_id: SessionId,
    decision: Decision,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Decline the action in a reply's `confirmation`."""
    return await decide(request, session_id, "decline", decision, caller, idempotency_key)


async def decide(
    request: Request, session_id: str, handler: str, decision: Decision, caller: Caller, key: str | None
) -> Response:
    payload = HeldDecision(customer_id=caller.customer_id, signed_in=caller.signed_in, held_id=decision.held_id)
    return await deliver(request, caller, session_id, handler, payload, key)


@sessions.post("/interrupt", response_model=Interruption)
async def interrupt(
    request: Request, session_id: SessionId, caller: AuthenticatedCaller, idempotency_key: Key = None
) -> Response:
    """Stop the running turn. The reply to its message says what was done and what was not."""
    session_client: SessionClient = request.app.state.session_client
    payload = CustomerRequest(customer_id=caller.customer_id, signed_in=caller.signed_in)
    # A retry after a broken connection must not stop the next turn as well.
    key = effective_key(request, idempotency_key)
    return json_response(await session_client.call(caller, session_id, "interrupt", payload, key))


@sessions.get("/events", response_class=EventSourceResponse, responses=DOCUMENTED_STREAM)
async def events(
    request: Request,
    session_id: SessionId,
    caller: AuthenticatedCaller,
    last_event_id: LastEventId = None,
    after: After = None,
    run: Run = "",
) -> Response:
    """Return the session's events while they happen, as server-sent events, until the client leaves.

    Without Last-Event-ID, they begin with the running turn, or with the next one. With it, all events after it come
    first. Leaving the stream stops nothing.
    """
    audience = Audience(caller)
    read = customer_reader(request.app.state.session_client, session_id, caller)
    event_id = after if last_event_id is None else last_event_id
    return await session_stream(request, session_id, audience, caller.expires_at, read, event_id, run)


@sessions.post("/turns/{turn}/rating", response_model=Rated)
async def rate(
    request: Request,
    session_id: SessionId,
    turn: TurnNumber,
    rating: NewRating,
    caller: AuthenticatedCaller,
    idempotency_key: Key = None,
) -> Response:
    """Rate the reply of a turn, or change its rating. While a turn runs, the rating is stored after it."""
    session_client: SessionClient = request.app.state.session_client
    payload = RateTurn(
        customer_id=caller.customer_id,
        signed_in=caller.signed_in,
        turn=turn,
        rating=rating.rating,
        comment=rating.comment,
    )
    key = effective_key(request, idempotency_key)
    return json_response(await session_client.call(caller, session_id, "rate", payload, key))


@sessions.get("/transcript", response_model=Transcript)
async def transcript(
    request: Request,
    session_id: SessionId,
    caller: AuthenticatedCaller,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)] = 20,
) -> Response:
    """Return the transcript: the turns after number `after`, oldest first."""
    session_client: SessionClient = request.app.state.session_client
    payload = TranscriptRequest(customer_id=caller.customer_id, signed_in=caller.signed_in, after=after, limit=limit)
    return json_response(await session_client.read(session_id, "transcript", payload))


@sessions.get("/status", response_model=SessionStatus)
async def status(request: Request, session_id: SessionId, caller: AuthenticatedCaller) -> Response:
    """Return the session's status, also while a turn is running."""
    session_client: SessionClient = request.app.state.session_client
    payload = CustomerRequest(customer_id=caller.customer_id, signed_in=caller.signed_in)
    return json_response(await session_client.read(session_id, "status", payload))


@probes.get("/health", include_in_schema=False)
async def healthy() -> Response:
    """Answer if this process is alive."""
    return await probe_response(health)


@probes.get("/ready", include_in_schema=False)
async def ready(request: Request) -> Response:
    """Answer whether Restate is reachable and this process is not shutting down."""
    readiness: Readiness = request.app.state.readiness
    return await probe_response(readiness.check)


async def deliver(
    request: Request, caller: Caller, session_id: str, handler: str, payload: WireModel, idempotency_key: str | None
) -> Response:
    """Submit a request that must act only once, and return its reply, or its events if the client asks for them."""
    session_client: SessionClient = request.app.state.session_client
    key = effective_key(request, idempotency_key)
    submit = partial(session_client.deliver, caller, session_id, handler, payload, key)
    if wants_events(request):
        read = customer_reader(session_client, session_id, caller)
        steering = payload.text if handler == "steer" and isinstance(payload, SendMessage) else None
        return await answer_stream(request, session_id, caller, read, partial(submit, never), steering)
    try:
        content = await submit(request.receive)
    except ClientDisconnected:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return json_response(content)


def effective_key(request: Request, idempotency_key: str | None) -> str:
    """Return the client's key, or a new one. The response carries it, so that the client can retry with it."""
    key = idempotency_key or uuid4().hex
    request.scope[IDEMPOTENCY_KEY] = key
    return key


def json_response(content: bytes) -> Response:
    """Pass the session's answer on unchanged."""
    return Response(content, media_type="application/json")


def validated_text(text: str) -> str:
    """Return a message's text if a session accepts it. Raises Problem."""
    size = len(text.encode())
    if size > MESSAGE_MAX_BYTES:
        detail = f"The message is {size} bytes long. The limit is {MESSAGE_MAX_BYTES} bytes. Send it in parts."
        raise Problem(413, "message_too_large", detail)
    try:
        return check_text(text)
    except ValueError as error:
        raise Problem(400, "request_invalid", f"The message {error}.") from error
