"""Serve cases: the service for agents to open them, the inbox that stores them, and the service for staff.

`CaseInbox` is a single object, so if two staff members close a case, the second one is refused. Closed cases are kept
for CLOSED_KEPT_FOR, so that staff can look them up.
"""

import logging

import restate

from switchboard import ToolInput
from switchboard.builtin.cases.contract import (
    CASE_DESK,
    CASE_INBOX,
    CASES,
    CLOSE_CASE,
    INBOX_KEY,
    LIST_CASES,
    NOTE_CASE,
    OPEN_CASE,
    READ_CASE,
    TRANSFER_TO_HUMAN_AGENTS,
    Case,
    CaseNote,
    CasePage,
    CaseQuery,
    CaseRef,
    CloseCase,
    NoteCase,
    TransferToHumanAgents,
)
from switchboard.builtin.cases.policy import (
    CLOSED_KEPT_FOR,
    OpenCases,
    closing_notice,
    page,
    refuse_opening,
    require_case,
    require_open,
    require_room_for_note,
)
from switchboard.contract import PersonalInput, Text
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import staff_service, tool_object, tool_service
from switchboard.toolkit.implement import implements
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer
from switchboard.toolkit.verified_customers import is_verified_customer

TRANSFERRED = "Transfer successful"
OPEN = "open"
UNVERIFIED = "unverified"
"""State keys: the ids of open cases, oldest first, and the ids of the unverified ones among them."""

CASE_PREFIX = "case-"
"""Each case is stored under its id as the state key. No other key has this prefix."""

ID_LENGTH = 12

logger = logging.getLogger(__name__)

case_desk = tool_service(CASE_DESK, "Hands a customer's request over to staff.")
case_inbox = tool_object(CASE_INBOX, "Customers' requests that were handed over to staff.")
cases = staff_service(
    CASES,
    "Customers' requests that were handed over to staff.",
)


class Forget(ToolInput):
    case_id: str


@implements(case_desk, TRANSFER_TO_HUMAN_AGENTS)
async def transfer_to_human_agents(ctx: restate.Context, request: TransferToHumanAgents) -> Text:
    """Open one case per call. 409 if too many are open."""
    case_id = f"{CASE_PREFIX}{ctx.uuid().hex[:ID_LENGTH]}"
    opened = Case(
        case_id=case_id,
        customer_id=request.customer_id,
        session_id=request.session_id,
        verified=await is_verified_customer(ctx, request.customer_id, request),
        summary=request.summary,
        opened_at=await business_now(ctx),
    )
    await call_tool(ctx, OPEN_CASE, opened, INBOX_KEY)
    return Text(TRANSFERRED)


@cases.handler(name="list", **NOTHING_RETAINED)
async def list_open(ctx: restate.Context, query: CaseQuery) -> CasePage:
    """Return a page of open cases, oldest first."""
    return await call_tool(ctx, LIST_CASES, query, INBOX_KEY)


@cases.handler(name="read", **NOTHING_RETAINED)
async def read_one(ctx: restate.Context, request: CaseRef) -> Case:
    """Return a case with its notes. 404 if it does not exist."""
    return await call_tool(ctx, READ_CASE, request, INBOX_KEY)


@cases.handler()
async def note(ctx: restate.Context, request: NoteCase) -> Case:
    """Add a note to an open case. 404 if it does not exist, 409 if it is closed or has too many notes."""
    return await call_tool(ctx, NOTE_CASE, request, INBOX_KEY)


@cases.handler()
async def close(ctx: restate.Context, request: CloseCase) -> Case:
    """Close a case and notify the customer. 404 if it does not exist, 409 with the outcome if it is already closed."""
    return await call_tool(ctx, CLOSE_CASE, request, INBOX_KEY)


@implements(case_inbox, OPEN_CASE)
async def open_case(ctx: restate.ObjectContext, request: Case) -> Case:
    """Store a case, once per id. 409 if the session, the customer or all customers have too many open cases."""
    waiting, unverified = await open_ids(ctx), await open_ids(ctx, UNVERIFIED)
    if request.case_id in waiting:
        return request
    of_customer = await cases_of(ctx, request.customer_id)
    allowed(refuse_opening(request, of_customer, len(waiting), len(unverified)))
    ctx.set(request.case_id, request)
    ctx.set(OPEN, [*waiting, request.case_id])
    ctx.set(customer_key(request.customer_id), of_customer.with_case(request))
    if not request.verified:
        ctx.set(UNVERIFIED, [*unverified, request.case_id])
    logger.info("%s of customer %s is waiting for staff", request.case_id, request.customer_id)
    return request


@implements(case_inbox, CLOSE_CASE)
async def close_case(ctx: restate.ObjectContext, request: CloseCase) -> Case:
    """Close a case and notify its session. 404 and 409 as for `close`.

    A session that is not signed in gets the outcome only if the customer was verified in it.
    """
    case = allowed(require_open(request.case_id, await find_case(ctx, request.case_id)))
    opened_as = PersonalInput(session_id=case.session_id, signed_in=case.verified)
    known = await is_verified_customer(ctx, case.customer_id, opened_as)
    closed = case.model_copy(
        update={"closed_at": await business_now(ctx), "closed_by": request.by, "outcome": request.outcome}
    )
    waiting, unverified = await open_ids(ctx), await open_ids(ctx, UNVERIFIED)
    left = (await cases_of(ctx, case.customer_id)).without(case.case_id)
    # Nothing is awaited from here on, so a cancellation cannot leave the case half closed.
    ctx.set(request.case_id, closed)
    for key, ids in ((OPEN, waiting), (UNVERIFIED, unverified)):
        ctx.set(key, [one for one in ids if one != request.case_id])
    if left.cases:
        ctx.set(customer_key(case.customer_id), left)
    else:
        ctx.clear(customer_key(case.customer_id))
    ctx.object_send(forget, ctx.key(), Forget(case_id=request.case_id), send_delay=CLOSED_KEPT_FOR)
    notify_customer(ctx, case.session_id, case.customer_id, closing_notice(closed, known))
    return closed


@implements(case_inbox, READ_CASE, kind="shared", retained=False)
async def read_case(ctx: restate.ObjectSharedContext, request: CaseRef) -> Case:
    """Return a case, open or closed. 404 if it does not exist."""
    return allowed(require_case(request.case_id, await find_case(ctx, request.case_id)))


@implements(case_inbox, NOTE_CASE)
async def note_case(ctx: restate.ObjectContext, request: NoteCase) -> Case:
    """Add a note. 404 and 409 as for `note`."""
    case = allowed(require_room_for_note(require_open(request.case_id, await find_case(ctx, request.case_id))))
    added = CaseNote(at=await business_now(ctx), by=request.by, text=request.text)
    noted = case.model_copy(update={"notes": (*case.notes, added)})
    ctx.set(request.case_id, noted)
    return noted


@implements(case_inbox, LIST_CASES, kind="shared", retained=False)
async def list_cases(ctx: restate.ObjectSharedContext, query: CaseQuery) -> CasePage:
    """Return a page of open cases, oldest first."""
    waiting = await open_ids(ctx)
    shown = [await ctx.get(one, type_hint=Case) for one in waiting[query.offset : query.offset + query.limit]]
    return page(tuple(case for case in shown if case), len(waiting))


@case_inbox.handler()
async def forget(ctx: restate.ObjectContext, request: Forget) -> None:
    """Delete a closed case. The inbox sends this to itself with a delay when it closes one."""
    ctx.clear(request.case_id)


async def find_case(ctx: restate.ObjectContext | restate.ObjectSharedContext, case_id: str) -> Case | None:
    return await ctx.get(case_id, type_hint=Case) if case_id.startswith(CASE_PREFIX) else None


async def open_ids(ctx: restate.ObjectContext | restate.ObjectSharedContext, key: str = OPEN) -> list[str]:
    return await ctx.get(key, type_hint=list[str]) or []


async def cases_of(ctx: restate.ObjectContext, customer_id: str) -> OpenCases:
    return await ctx.get(customer_key(customer_id), type_hint=OpenCases) or OpenCases()


def customer_key(customer_id: str) -> str:
    """Return the state key of one customer's open cases."""
    return f"customer {customer_id}"
