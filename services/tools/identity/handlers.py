"""Serves the identity checks: one object a customer, which judges every try to prove to be them, and keeps a record.

The key is the customer and not the session, so that one judge counts the tries of all sessions: whoever guesses gains
nothing by beginning a new one. What was proven is kept by session. Staff read the record through a door of their own.
"""

import logging

import restate

from services.tools.airline_data.dataset import airline
from services.tools.call import ask
from services.tools.clock import business_now
from services.tools.demo_data.people import people
from services.tools.identity import policy
from services.tools.identity.contract import (
    IDENTITY_CHECKS,
    IDENTITY_RECORDS,
    LIST_TRIES,
    NamedFacts,
    Nothing,
    Proven,
    RecordQuery,
    SessionRef,
    TryList,
    Verified,
)
from services.tools.identity.facts import all_right, known_of
from services.tools.identity.policy import Record
from switchboard.declare import staff_service, tool_object

RECORD = "record"

logger = logging.getLogger(__name__)

identity_checks = tool_object(IDENTITY_CHECKS, "Who has proven to be a customer; the key is the customer's id.")
identity_records = staff_service(
    IDENTITY_RECORDS,
    "The record of who tried to prove to be a customer. Staff only: whatever stands in front of the ingress has to"
    " authenticate staff for this service, and has to let no customer through to it.",
)


@identity_checks.handler()
async def verify_identity(ctx: restate.ObjectContext, named: NamedFacts) -> Verified:
    """Compare what is named with what is known. A wrong try is an answer and no error: it is written down."""
    now = await business_now(ctx)
    record = await read_record(ctx)
    known = known_of(ctx.key(), people(), airline().users)
    entry = policy.judge_try(record, named, all_right(known, named), now)
    record = policy.recorded(record, entry)
    ctx.set(RECORD, record)
    if entry.outcome != "verified":
        logger.warning("session %s: a try to be customer %s is %s", named.session_id, ctx.key(), entry.outcome)
    return policy.told(record, entry)


@identity_checks.handler(kind="shared")
async def is_proven(ctx: restate.ObjectSharedContext, request: SessionRef) -> Proven:
    """Whether it was proven in that session, and not too long ago."""
    now = await business_now(ctx)
    return Proven(proven=policy.proven(await read_record(ctx), request.session_id, now))


@identity_checks.handler(kind="shared")
async def list_tries(ctx: restate.ObjectSharedContext, _: Nothing) -> TryList:
    """The record, newest first."""
    return policy.listed(await read_record(ctx))


@identity_records.handler(name="list")
async def list_records(ctx: restate.Context, query: RecordQuery) -> TryList:
    """For staff: when it was tried to be this customer, in which session, by which facts, and what came of it."""
    return await ask(ctx, LIST_TRIES, Nothing(), query.customer_id)


async def read_record(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Record:
    return await ctx.get(RECORD, type_hint=Record) or Record()
