"""The staff door: the service through which the gateway reaches the mesh's staff services and any session.

The door looks up which staff services the mesh has, because a call to an unknown service would never end. It sets
`by` to the subject of the token, so that no request can name another member of staff.
"""

import json
import logging
from datetime import timedelta
from decimal import Decimal

import restate
from pydantic import JsonValue

from switchboard.messages import WireModel
from switchboard.runtime.invocations import NOTHING_RETAINED, RETRIES, refuse_bad_input
from switchboard.runtime.speaker_check import signed_requests
from switchboard.session.contract import SESSION, ClaimedKey, EventsPage, SessionStatus, Transcript, session_id
from switchboard.session.inspection import Inspector, refusals
from switchboard.session.session_list import SessionList
from switchboard.session.staff_contract import (
    BY,
    BY_IS_GIVEN,
    HAND_BACK,
    NOT_OFFERED,
    REGISTRY_AWAY,
    STAFF_DOOR,
    STAFF_MESSAGE,
    STAFF_NOTE,
    TAKE_OVER,
    EventsQuery,
    SessionListRequest,
    SessionPage,
    StaffAnswer,
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
    StaffTurnRequest,
    StatusQuery,
    Timeline,
    TranscriptPage,
    TurnInspection,
)
from switchboard.session.staff_registry import Registered, StaffRegistry
from switchboard.session_ids import is_public_part, public_part
from switchboard.speaker import SPEAKER_HEADER, SpeakerKeys
from switchboard.telemetry.spans import propagation_headers, traced

logger = logging.getLogger(__name__)

TRANSCRIPT_FOR_STAFF = "staff_transcript"
STATUS_FOR_STAFF = "staff_status"
EVENTS_FOR_STAFF = "staff_events"
"""The session's handlers for staff. They are private; only the door calls them."""

REPLIES_KEPT = timedelta(days=1)
"""How long a repeated key gets the first answer."""

CLAIMS_KEPT = 2 * REPLIES_KEPT
"""Longer than the answer: a key is claimed before its request runs."""

NO_SUCH_TURN = "There is no turn {turn}. The session has {total} turns."

TIMELINE = restate.RunOptions[Timeline](type_hint=Timeline)

UNSIGNED_HANDLERS = ("claim",)
"""Restate answers a repeated claim before a handler could check its signature. So the gateway sends it under a key that
no other caller can guess."""

LOOK_UP = restate.RunOptions[Registered](type_hint=Registered)
LIST_SESSIONS = restate.RunOptions[SessionPage](type_hint=SessionPage)
FIND_SESSION = restate.RunOptions[str](type_hint=str)


def staff_door(
    registry: StaffRegistry, listing: SessionList, inspector: Inspector, speaker: SpeakerKeys | None
) -> restate.Service:
    """Return the door. `registry` knows the mesh's staff services, `listing` its sessions, `inspector` its turns.

    `speaker` verifies that the gateway speaks.
    """
    door = restate.Service(
        STAFF_DOOR,
        description="Requests of staff whom the gateway has authenticated.",
        idempotency_retention=REPLIES_KEPT,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), refuse_bad_input, signed_requests(speaker, UNSIGNED_HANDLERS)],
    )

    @door.handler()
    async def act(ctx: restate.Context, call: StaffCall) -> StaffAnswer:
        """Call a handler of a staff service. 404 if this mesh does not have it."""
        return await pass_on(ctx, registry, call)

    @door.handler(**NOTHING_RETAINED)
    async def read(ctx: restate.Context, call: StaffCall) -> StaffAnswer:
        """Call a handler of a staff service that changes nothing, without keeping a journal."""
        return await pass_on(ctx, registry, call)

    @door.handler(**NOTHING_RETAINED)
    async def services(ctx: restate.Context, request: StaffRequest) -> StaffServices:
        """Return the staff services that this mesh has."""
        return (await registered(ctx, registry)).services

    add_session_reads(door, listing)
    add_inspection(door, listing, inspector)
    add_session_acts(door, listing)

    @door.handler(journal_retention=timedelta(0), idempotency_retention=CLAIMS_KEPT)
    async def claim(ctx: restate.Context, key: ClaimedKey) -> ClaimedKey:
        """Claim an idempotency key. For a key in use, Restate returns the first claim."""
        return key

    return door


def add_session_reads(door: restate.Service, listing: SessionList) -> None:
    """Add the handlers with which staff find and read any session."""

    @door.handler(**NOTHING_RETAINED)
    async def sessions(ctx: restate.Context, request: SessionListRequest) -> SessionPage:
        """Return a page of the sessions, newest activity first."""
        logger.info("staff member %s lists sessions", request.by)
        return await ctx.run_typed("sessions", listing.page_or_refusal, LIST_SESSIONS, request)

    @door.handler(**NOTHING_RETAINED)
    async def transcript(ctx: restate.Context, request: StaffTranscriptRequest) -> Transcript:
        """Return a page of a session's transcript."""
        page = TranscriptPage(after=request.after, limit=request.limit)
        return Transcript.model_validate_json(await read_session(ctx, listing, request, TRANSCRIPT_FOR_STAFF, page))

    @door.handler(**NOTHING_RETAINED)
    async def status(ctx: restate.Context, request: StaffSessionRequest) -> SessionStatus:
        """Return a session's status, also while a turn runs."""
        content = await read_session(ctx, listing, request, STATUS_FOR_STAFF, StatusQuery())
        return SessionStatus.model_validate_json(content)

    @door.handler(**NOTHING_RETAINED)
    async def events(ctx: restate.Context, request: StaffEventsRequest) -> EventsPage:
        """Return the records from which a session's events follow, also while a turn runs."""
        query = EventsQuery(after=request.after, limit=request.limit)
        content = await read_session(ctx, listing, request, EVENTS_FOR_STAFF, query)
        return EventsPage.model_validate_json(content)


def add_inspection(door: restate.Service, listing: SessionList, inspector: Inspector) -> None:
    """Add the handler with which staff look into a turn."""

    @door.handler(**NOTHING_RETAINED)
    async def turn(ctx: restate.Context, request: StaffTurnRequest) -> TurnInspection:
        """Return a turn with its costs, the refusals of tools, and its timeline while Restate keeps it."""
        page = TranscriptPage(after=request.turn - 1, limit=1)
        found = Transcript.model_validate_json(await read_session(ctx, listing, request, TRANSCRIPT_FOR_STAFF, page))
        if not found.turns:
            raise restate.TerminalError(NO_SUCH_TURN.format(turn=request.turn, total=found.turns_total), 404)
        record = found.turns[0]
        costs = inspector.costs(record)
        return TurnInspection(
            record=record,
            turns_total=found.turns_total,
            timeline=await ctx.run_typed("timeline", inspector.timeline, TIMELINE, record),
            refusals=refusals(record),
            costs=costs,
            cost=sum(costs, Decimal(0)),
            currency=inspector.settings.currency,
        )


def add_session_acts(door: restate.Service, listing: SessionList) -> None:
    """Add the handlers with which staff take a session over, write in it and hand it back."""

    @door.handler()
    async def take_over(ctx: restate.Context, request: StaffTakeOver) -> StaffTurn:
        """Answer in a session in the agents' place, from the moment of this reply on. 409 if a colleague does."""
        return await act_in_session(ctx, listing, request, TAKE_OVER)

    @door.handler()
    async def message(ctx: restate.Context, request: StaffMessage) -> StaffTurn:
        """Write to the customer. 409 unless the staff member has taken the session over."""
        return await act_in_session(ctx, listing, request, STAFF_MESSAGE)

    @door.handler()
    async def note(ctx: restate.Context, request: StaffNote) -> StaffTurn:
        """Add a note for colleagues to a session that a staff member answers in."""
        return await act_in_session(ctx, listing, request, STAFF_NOTE)

    @door.handler()
    async def hand_back(ctx: restate.Context, request: StaffHandBack) -> StaffTurn:
        """Let the agents answer again. 409 unless the staff member has taken the session over."""
        return await act_in_session(ctx, listing, request, HAND_BACK)


async def act_in_session(
    ctx: restate.Context, listing: SessionList, request: StaffSessionRequest, handler: str
) -> StaffTurn:
    """Call a session's handler for staff. The session sees the signature, and refuses a second copy of a request."""
    headers = {**propagation_headers(), SPEAKER_HEADER: ctx.request().headers.get(SPEAKER_HEADER, "")}
    key = await full_key(ctx, listing, request)
    logger.info("staff member %s calls %s of session %s", request.by, handler, public_part(key))
    body = request.model_dump_json().encode()
    return StaffTurn.model_validate_json(await ctx.generic_call(SESSION, handler, body, key=key, headers=headers))


async def pass_on(ctx: restate.Context, registry: StaffRegistry, call: StaffCall) -> StaffAnswer:
    """Call the handler for the staff member and return its answer. Raises the handler's TerminalError."""
    if BY in call.request:
        raise restate.TerminalError(BY_IS_GIVEN, status_code=400)
    found = (await registered(ctx, registry)).find(call.service, call.handler)
    if found is None:
        raise restate.TerminalError(f"{NOT_OFFERED} {call.service}/{call.handler}.", status_code=404)
    logger.info("staff member %s calls %s/%s", call.by, call.service, call.handler)
    request = {**call.request, BY: call.by} if found.takes_by else call.request
    body = json.dumps(request).encode()
    content = await ctx.generic_call(call.service, call.handler, body, headers=propagation_headers())
    answer: JsonValue = json.loads(content) if content else None
    return StaffAnswer(answer=answer)


async def registered(ctx: restate.Context, registry: StaffRegistry) -> Registered:
    """Return the mesh's staff services. Raises TerminalError 503 if the registry cannot be read."""
    found = await ctx.run_typed("staff services", registry.look_up, LOOK_UP)
    if not found.known:
        raise restate.TerminalError(REGISTRY_AWAY, status_code=503)
    return found


async def read_session(
    ctx: restate.Context, listing: SessionList, request: StaffSessionRequest, handler: str, payload: WireModel
) -> bytes:
    """Call a session's handler for staff. The session may be named by the public part of its id, as the list does."""
    key = await full_key(ctx, listing, request)
    logger.info("staff member %s reads session %s", request.by, public_part(key))
    body = payload.model_dump_json().encode()
    return await ctx.generic_call(SESSION, handler, body, key=key, headers=propagation_headers())


async def full_key(ctx: restate.Context, listing: SessionList, request: StaffSessionRequest) -> str:
    """Return the session's key. The request may name it by the public part of its id, as the list does."""
    try:
        key = session_id(request.session_id)
    except ValueError as error:
        raise restate.TerminalError(f"{request.session_id!r} {error}.", status_code=400) from error
    if is_public_part(key):
        key = await ctx.run_typed("session id", listing.key_of, FIND_SESSION, key)
    return key
