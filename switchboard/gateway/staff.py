"""The HTTP API of staff: approvals, cases, identity checks, sessions, and the mesh's own staff services.

Every request needs the token of a signed-in staff member. The token's subject becomes `by`; no body can name it. A mesh
without a service answers 404 `not_offered` at its paths.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import JsonValue
from sse_starlette import EventSourceResponse

from switchboard.builtin.approvals.contract import APPROVALS, Decided, InboxPage
from switchboard.builtin.approvals.contract import PAGE_DEFAULT as APPROVALS_DEFAULT
from switchboard.builtin.approvals.contract import PAGE_MAX as APPROVALS_MAX
from switchboard.builtin.cases.contract import CASES, Case, CasePage
from switchboard.builtin.cases.contract import PAGE_DEFAULT as CASES_DEFAULT
from switchboard.builtin.cases.contract import PAGE_MAX as CASES_MAX
from switchboard.builtin.identity.contract import IDENTITY_RECORDS, TryList
from switchboard.gateway.api import (
    CALLER,
    AuthenticatedRoute,
    Key,
    bearer,
    effective_key,
    json_response,
    token_of,
    unauthorized,
    validated_text,
)
from switchboard.gateway.contract import SessionId
from switchboard.gateway.event_streams import DOCUMENTED_STREAM, After, LastEventId, Run, session_stream
from switchboard.gateway.feed import Audience
from switchboard.gateway.identity import NotStaff, StaffMember, TokenRefused, TokenVerifier
from switchboard.gateway.openapi import PROBLEMS
from switchboard.gateway.problems import Problem
from switchboard.gateway.spans import set_attribute
from switchboard.gateway.staff_client import StaffClient
from switchboard.gateway.staff_contract import (
    ApprovalDecision,
    Closing,
    ColleagueNote,
    CustomerFilter,
    CustomerId,
    HandBack,
    HandlerInput,
    Name,
    NewNote,
    RecordId,
    StaffText,
    TakeOver,
    TextFilter,
)
from switchboard.session.contract import TRANSCRIPT_PAGE_MAX_TURNS, EventsPage, SessionStatus, Transcript
from switchboard.session.staff_contract import (
    OFFSET_MAX,
    SESSIONS_DEFAULT,
    SESSIONS_MAX,
    SessionListRequest,
    SessionPage,
    StaffCall,
    StaffEventsRequest,
    StaffHandBack,
    StaffMessage,
    StaffNote,
    StaffRequest,
    StaffServices,
    StaffSessionRequest,
    StaffTakeOver,
    StaffTranscriptRequest,
    StaffTurn,
)
from switchboard.session_ids import public_part
from switchboard.telemetry.spans import CONVERSATION

STAFF_ONLY = "This API is for staff. Your token does not have the role for it, or does not say that you are signed in."


class StaffRoute(AuthenticatedRoute):
    """Accepts staff only, before it reads the body."""

    async def authenticate(self, request: Request) -> object:
        """Return the StaffMember. Raises Problem 401, and 403 for a token without the staff role."""
        tokens: TokenVerifier = request.app.state.tokens
        try:
            return await tokens.verify_staff(await token_of(request))
        except TokenRefused as error:
            raise unauthorized(f"The token {error}.", 'Bearer realm="switchboard", error="invalid_token"') from error
        except NotStaff as error:
            raise Problem(403, "staff_only", STAFF_ONLY) from error


staff = APIRouter(prefix="/v1/staff", responses=PROBLEMS, route_class=StaffRoute, tags=["staff"])


def add_staff_api(app: FastAPI, client: StaffClient) -> None:
    """Add the staff's paths to the API."""
    app.state.staff_client = client
    app.include_router(staff)


async def staff_member(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    """Return the subject of who sends the request; `bearer` only documents the token in the OpenAPI document."""
    member: StaffMember = request.scope[CALLER]
    return member.subject


Member = Annotated[str, Depends(staff_member)]
Offset = Annotated[int, Query(ge=0, le=OFFSET_MAX)]


@staff.get("/services", response_model=StaffServices)
async def services(request: Request, member: Member) -> Response:
    """List the staff services that this mesh has, with their handlers."""
    return json_response(await client_of(request).read("services", StaffRequest(by=member)))


@staff.post("/services/{service}/{handler}", response_model=JsonValue)
async def call_service(
    request: Request,
    service: Name,
    handler: Name,
    member: Member,
    body: HandlerInput,
    idempotency_key: Key = None,
) -> Response:
    """Call a handler of a staff service. The body is the handler's input; its field `by` comes from the token."""
    return await act(request, member, service, handler, body.root, idempotency_key)


@staff.get("/approvals", response_model=InboxPage)
async def approvals(
    request: Request,
    member: Member,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=APPROVALS_MAX)] = APPROVALS_DEFAULT,
) -> Response:
    """List the requests that wait for approval, oldest first."""
    return await read(request, member, APPROVALS, "list", offset=offset, limit=limit)


@staff.post("/approvals/{approval_id}/approve", response_model=Decided)
async def approve(
    request: Request, approval_id: RecordId, member: Member, decision: ApprovalDecision, idempotency_key: Key = None
) -> Response:
    """Approve a request. The customer is notified with the reason."""
    body: dict[str, JsonValue] = {"approval_id": approval_id, "why": decision.why}
    return await act(request, member, APPROVALS, "approve", body, idempotency_key)


@staff.post("/approvals/{approval_id}/reject", response_model=Decided)
async def reject(
    request: Request, approval_id: RecordId, member: Member, decision: ApprovalDecision, idempotency_key: Key = None
) -> Response:
    """Reject a request. The customer is notified with the reason."""
    body: dict[str, JsonValue] = {"approval_id": approval_id, "why": decision.why}
    return await act(request, member, APPROVALS, "reject", body, idempotency_key)


@staff.get("/cases", response_model=CasePage)
async def cases(
    request: Request,
    member: Member,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=CASES_MAX)] = CASES_DEFAULT,
) -> Response:
    """List the open cases, oldest first."""
    return await read(request, member, CASES, "list", offset=offset, limit=limit)


@staff.get("/cases/{case_id}", response_model=Case)
async def case(request: Request, case_id: RecordId, member: Member) -> Response:
    """Return a case with its notes, open or closed."""
    return await read(request, member, CASES, "read", case_id=case_id)


@staff.post("/cases/{case_id}/notes", response_model=Case)
async def note(
    request: Request, case_id: RecordId, member: Member, note: NewNote, idempotency_key: Key = None
) -> Response:
    """Add a note to an open case. The customer does not see it."""
    body: dict[str, JsonValue] = {"case_id": case_id, "text": note.text}
    return await act(request, member, CASES, "note", body, idempotency_key)


@staff.post("/cases/{case_id}/close", response_model=Case)
async def close(
    request: Request, case_id: RecordId, member: Member, closing: Closing, idempotency_key: Key = None
) -> Response:
    """Close a case. The customer is notified of the outcome."""
    body: dict[str, JsonValue] = {"case_id": case_id, "outcome": closing.outcome}
    return await act(request, member, CASES, "close", body, idempotency_key)


@staff.get("/customers/{customer_id}/identity-checks", response_model=TryList)
async def identity_checks(request: Request, customer_id: CustomerId, member: Member) -> Response:
    """List the tries to verify as a customer: time, session, names of the facts, and outcome."""
    return await read(request, member, IDENTITY_RECORDS, "list", customer_id=customer_id)


@staff.get("/sessions", response_model=SessionPage)
async def sessions(
    request: Request,
    member: Member,
    customer_id: CustomerFilter = None,
    text: TextFilter = None,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=SESSIONS_MAX)] = SESSIONS_DEFAULT,
) -> Response:
    """List the sessions, newest activity first. An id that is a secret is shown by its public part."""
    wanted = SessionListRequest(by=member, customer_id=customer_id, text=text, offset=offset, limit=limit)
    return json_response(await client_of(request).read("sessions", wanted))


@staff.get("/sessions/{session_id}/transcript", response_model=Transcript)
async def transcript(
    request: Request,
    session_id: SessionId,
    member: Member,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)] = 20,
) -> Response:
    """Return the transcript of any session: the turns after number `after`, oldest first."""
    set_attribute(CONVERSATION, public_part(session_id))
    wanted = StaffTranscriptRequest(by=member, session_id=session_id, after=after, limit=limit)
    return json_response(await client_of(request).read("transcript", wanted))


@staff.get("/sessions/{session_id}/events", response_class=EventSourceResponse, responses=DOCUMENTED_STREAM)
async def events(
    request: Request,
    session_id: SessionId,
    member: Member,
    last_event_id: LastEventId = None,
    after: After = None,
    run: Run = "",
) -> Response:
    """Return the events of any session while they happen, as server-sent events; see the customer's path for events."""
    set_attribute(CONVERSATION, public_part(session_id))
    client = client_of(request)

    async def read(after: int, limit: int) -> EventsPage:
        wanted = StaffEventsRequest(by=member, session_id=session_id, after=after, limit=limit)
        return EventsPage.model_validate_json(await client.read("events", wanted))

    staff_member: StaffMember = request.scope[CALLER]
    event_id = after if last_event_id is None else last_event_id
    audience = Audience(staff=member)
    # Agents tell what happens in a session under its whole id. Staff know an id that is a secret by its public part.
    whole_id = (await read(0, 0)).session_id or session_id
    return await session_stream(request, whole_id, audience, staff_member.expires_at, read, event_id, run)


@staff.get("/sessions/{session_id}/status", response_model=SessionStatus)
async def status(request: Request, session_id: SessionId, member: Member) -> Response:
    """Return the status of any session, also while a turn is running."""
    set_attribute(CONVERSATION, public_part(session_id))
    wanted = StaffSessionRequest(by=member, session_id=session_id)
    return json_response(await client_of(request).read("status", wanted))


@staff.post("/sessions/{session_id}/take-over", response_model=StaffTurn)
async def take_over(
    request: Request, session_id: SessionId, member: Member, take_over: TakeOver, idempotency_key: Key = None
) -> Response:
    """Answer in a session in the agents' place. A running turn is stopped first, and the customer is told.

    From this reply on, no agent answers until the hand-back. 409 with the name if a colleague answers already.
    """
    wanted = StaffTakeOver(by=member, session_id=session_id, from_colleague=take_over.from_colleague)
    return await act_in_session(request, "take_over", wanted, idempotency_key)


@staff.post("/sessions/{session_id}/messages", response_model=StaffTurn)
async def write(
    request: Request, session_id: SessionId, member: Member, message: StaffText, idempotency_key: Key = None
) -> Response:
    """Write to the customer of a session that you have taken over."""
    sent = StaffMessage(by=member, session_id=session_id, text=validated_text(message.text))
    return await act_in_session(request, "message", sent, idempotency_key)


@staff.post("/sessions/{session_id}/notes", response_model=StaffTurn)
async def session_note(
    request: Request, session_id: SessionId, member: Member, note: ColleagueNote, idempotency_key: Key = None
) -> Response:
    """Add a note for colleagues to a session that a member of staff answers in."""
    added = StaffNote(by=member, session_id=session_id, text=note.text)
    return await act_in_session(request, "note", added, idempotency_key)


@staff.post("/sessions/{session_id}/hand-back", response_model=StaffTurn)
async def hand_back(
    request: Request, session_id: SessionId, member: Member, hand_back: HandBack, idempotency_key: Key = None
) -> Response:
    """Let the agents answer again in a session that you have taken over. They read the note; the customer does not."""
    ended = StaffHandBack(by=member, session_id=session_id, note=hand_back.note)
    return await act_in_session(request, "hand_back", ended, idempotency_key)


async def act_in_session(
    request: Request, handler: str, wanted: StaffSessionRequest, idempotency_key: str | None
) -> Response:
    """Call a handler of the door that changes a session, once, under a key."""
    set_attribute(CONVERSATION, public_part(wanted.session_id))
    client, key = client_of(request), effective_key(request, idempotency_key)
    return json_response(await client.act_in_session(handler, wanted, key))


async def read(request: Request, member: str, service: str, handler: str, **body: Any) -> Response:
    """Call a handler of a staff service that changes nothing."""
    call = StaffCall(by=member, service=service, handler=handler, request=body)
    return json_response(await client_of(request).ask("read", call))


async def act(
    request: Request, member: str, service: str, handler: str, body: dict[str, JsonValue], idempotency_key: str | None
) -> Response:
    """Call a handler of a staff service once, under a key."""
    call = StaffCall(by=member, service=service, handler=handler, request=body)
    return json_response(await client_of(request).act(call, effective_key(request, idempotency_key)))


def client_of(request: Request) -> StaffClient:
    client: StaffClient = request.app.state.staff_client
    return client
