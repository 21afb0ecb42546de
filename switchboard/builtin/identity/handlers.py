"""Serves the identity checks: one object per customer, which checks every try to verify and keeps a record.

The key is the customer and not the session, so that the tries of all sessions count together: a new session does not
reset the limit. A verification holds for its session only. Staff read the record through a service of their own.
"""

import logging
from collections.abc import Awaitable, Callable

import restate

from switchboard import NoInput
from switchboard.builtin.identity import policy
from switchboard.builtin.identity.contract import (
    IDENTITY_RECORDS,
    LIST_TRIES,
    VERIFY_IDENTITY,
    NamedFacts,
    RecordQuery,
    TryList,
    Verified,
)
from switchboard.builtin.identity.facts import Known, all_facts_match
from switchboard.builtin.identity.policy import Record
from switchboard.session_ids import public_part
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import staff_service, tool_object
from switchboard.toolkit.implement import implements
from switchboard.toolkit.rpc import call_tool
from switchboard.toolkit.verified_customers import IDENTITY_CHECKS, IS_PROVEN, Proven, SessionRef

RECORD = "record"

FactsOnRecord = Callable[[restate.ObjectContext, str], Awaitable[Known | None]]
"""Looks up a customer's facts by customer id; None for an unknown customer. The mesh provides it.

Facts that can change, such as those in a database, are looked up inside of `ctx.run_typed`, which journals them.
"""

logger = logging.getLogger(__name__)


def identity_checks_object(facts_on_record: FactsOnRecord) -> restate.VirtualObject:
    """Build the object that verifies customers. `facts_on_record` looks up a customer's facts by id."""
    identity_checks = tool_object(IDENTITY_CHECKS, "Verifies customers by facts; the key is the customer's id.")

    @implements(identity_checks, VERIFY_IDENTITY)
    async def verify_identity(ctx: restate.ObjectContext, named: NamedFacts) -> Verified:
        """Compare the given facts with the record. A wrong try is a result and not an error: it is recorded."""
        now = await business_now(ctx)
        record = await read_record(ctx)
        right = all_facts_match(await facts_on_record(ctx, ctx.key()), named)
        entry = policy.check_try(record, named, right, now)
        record = policy.add_try(record, entry)
        ctx.set(RECORD, record)
        if entry.outcome != "verified":
            logger.warning(
                "session %s: try to verify as customer %s: %s", public_part(named.session_id), ctx.key(), entry.outcome
            )
        return policy.reply_to_try(record, entry)

    @implements(identity_checks, IS_PROVEN, kind="shared")
    async def is_proven(ctx: restate.ObjectSharedContext, request: SessionRef) -> Proven:
        """Return whether the customer was verified in that session, not too long ago."""
        now = await business_now(ctx)
        return Proven(proven=policy.is_proven(await read_record(ctx), request.session_id, now))

    @implements(identity_checks, LIST_TRIES, kind="shared")
    async def list_tries(ctx: restate.ObjectSharedContext, _: NoInput) -> TryList:
        """Return the record, newest first."""
        return policy.list_tries(await read_record(ctx))

    return identity_checks


identity_records = staff_service(
    IDENTITY_RECORDS,
    "The record of the tries to verify as a customer.",
)


@identity_records.handler(name="list")
async def list_records(ctx: restate.Context, query: RecordQuery) -> TryList:
    """Return the tries to verify as this customer, for staff: time, session, names of the facts, and outcome."""
    return await call_tool(ctx, LIST_TRIES, NoInput(), query.customer_id)


async def read_record(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Record:
    return await ctx.get(RECORD, type_hint=Record) or Record()
