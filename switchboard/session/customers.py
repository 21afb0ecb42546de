"""The CustomerUsage object: what one customer has used, over all sessions. It grants each turn its tokens."""

from datetime import UTC, datetime
from decimal import Decimal

import restate

from switchboard.loop.decisions import BYTES_PER_TOKEN
from switchboard.messages import WireModel
from switchboard.runtime.invocations import NOTHING_RETAINED, RETRIES, refuse_bad_input
from switchboard.session.allowance import (
    Account,
    Grant,
    GrantRequest,
    Limits,
    Settlement,
    grant_tokens,
    settle_turn,
)
from switchboard.session.contract import LIMIT_REFUSALS
from switchboard.session.metrics import count_refused
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Head, Settled, TurnStart
from switchboard.session.window import opaque_size

CUSTOMER_USAGE = "CustomerUsage"

TOO_MANY_REQUESTS = 429

ACCOUNT = "account"
"""State key of a customer's account."""


class Conditions(WireModel):
    """Time and limits of one request. Journaled together, because both may change before a replay."""

    at: datetime
    limits: Limits


CONDITIONS_OPTIONS = restate.RunOptions(type_hint=Conditions)


def customer_usage(settings: SessionSettings) -> restate.VirtualObject:
    """Return the CustomerUsage object, by customer. Its lock is held for one read and one write of its state."""
    usage = restate.VirtualObject(
        CUSTOMER_USAGE,
        description="What a customer has used, over all sessions.",
        ingress_private=True,
        **NOTHING_RETAINED,
        invocation_retry_policy=RETRIES,
        # No spans: every trace would show these two short calls.
        invocation_context_managers=[refuse_bad_input],
    )

    async def conditions() -> Conditions:
        return Conditions(at=datetime.now(UTC), limits=settings.limits)

    @usage.handler()
    async def grant(ctx: restate.ObjectContext, request: GrantRequest) -> Grant:
        """Grant the tokens of a turn, or refuse it."""
        now = await ctx.run_typed("conditions", conditions, CONDITIONS_OPTIONS)
        account = await ctx.get(ACCOUNT, type_hint=Account)
        account, granted = grant_tokens(account, request, now.at, now.limits)
        ctx.set(ACCOUNT, account)
        return granted

    @usage.handler("settle")
    async def settle_account(ctx: restate.ObjectContext, settlement: Settlement) -> None:
        """Record what a turn has used, and free the rest of its grant."""
        now = await ctx.run_typed("conditions", conditions, CONDITIONS_OPTIONS)
        account = await ctx.get(ACCOUNT, type_hint=Account)
        ctx.set(ACCOUNT, settle_turn(account, settlement, now.at, now.limits))

    return usage


def account_key(head: Head) -> str:
    """Return the key of the customer's account.

    Unauthenticated customers have accounts of their own, so that they cannot use up those of the customers whom they
    claim to be.
    """
    return f"{'signed-in' if head.signed_in else 'claimed'}/{head.customer_id}"


def estimated_tokens(head: Head) -> int:
    """Return about what one model call about this conversation costs."""
    shown = len(head.summary) + sum(turn.size_bytes + opaque_size(turn) for turn in head.window)
    return shown // BYTES_PER_TOKEN


async def ask_for_tokens(ctx: restate.ObjectContext, head: Head, start: TurnStart, promised: bool) -> TurnStart:
    """Return the start of the turn with the tokens that the customer is granted. Raises 429 if it must not begin."""
    request = GrantRequest(
        turn_id=ctx.request().id, estimate=start.estimate, new_session=head.turns_total == 0, promised=promised
    )
    grant = await request_grant(ctx, head, request)
    of_session = start.tokens_left
    if grant.tokens is None or (of_session is not None and of_session <= grant.tokens):
        return start
    return start.model_copy(update={"tokens_left": grant.tokens, "limited_by": grant.limited_by})


async def ask_to_write(ctx: restate.ObjectContext, head: Head) -> None:
    """Count a message that no agent answers. Raises 429 if the customer sends too many in a minute."""
    await request_grant(ctx, head, GrantRequest(turn_id=ctx.request().id, estimate=0, unanswered=True))


async def request_grant(ctx: restate.ObjectContext, head: Head, request: GrantRequest) -> Grant:
    """Return what the customer is granted. Raises 429 if the turn must not begin."""
    body = request.model_dump_json().encode()
    grant = Grant.model_validate_json(await ctx.generic_call(CUSTOMER_USAGE, "grant", body, account_key(head)))
    if grant.refused is not None:
        count_refused(grant.refused)
        text = LIMIT_REFUSALS[grant.refused].format(seconds=grant.retry_after_s)
        raise restate.TerminalError(text, status_code=TOO_MANY_REQUESTS)
    return grant


def settle(ctx: restate.ObjectContext, before: Head, head: Head) -> Head:
    """Report what the session has used since its last report, summaries included. Returns the session as reported."""
    reported = before.settled or Settled(tokens=before.tokens, cost=before.cost)
    used = Settlement(turn_id=ctx.request().id, tokens=head.tokens - reported.tokens, cost=head.cost - reported.cost)
    send_settlement(ctx, head, used)
    return head.model_copy(update={"settled": Settled(tokens=head.tokens, cost=head.cost)})


def settle_by_estimate(ctx: restate.ObjectContext, head: Head) -> None:
    """Report a turn that ended without an outcome: its estimate is charged."""
    send_settlement(ctx, head, Settlement(turn_id=ctx.request().id, tokens=0, cost=Decimal(0), estimated=True))


def send_settlement(ctx: restate.ObjectContext, head: Head, settlement: Settlement) -> None:
    ctx.generic_send(CUSTOMER_USAGE, "settle", settlement.model_dump_json().encode(), key=account_key(head))
