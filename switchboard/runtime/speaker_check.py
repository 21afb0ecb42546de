"""Refuses invocations that the gateway has not signed, before a handler reads or changes anything."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import restate
from restate.extensions import current_context
from restate.server_context import ServerInvocationContext

from switchboard.speaker import SPEAKER_HEADER, Proof, SpeakerKeys, SpeakerRefused

logger = logging.getLogger(__name__)

REFUSED = (
    "The request {reason}, so it was refused and nothing was done. Send it through the gateway, or sign it with this "
    "mesh's key: see SWITCHBOARD_SPEAKER_KEYS."
)
TOO_OLD = "was sent too long after it was signed"
COPY = "was signed for another idempotency key"

NOT_SIGNED_STATUS = 401

SentAt = Callable[[str], Awaitable[datetime]]
"""Returns when Restate accepted the invocation with this id. Raises TerminalError if that cannot be found out."""

SentUnder = Callable[[str, str], Awaitable[bool]]
"""Returns whether the invocation with this id was sent under this idempotency key."""


def signed_requests(
    keys: SpeakerKeys | None,
    unsigned: Collection[str] = (),
    sent_at: SentAt | None = None,
    once: Mapping[str, SentUnder] | None = None,
) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Return a context manager for the handlers of a service that refuses requests without a valid signature.

    Private handlers need no signature, because only the mesh itself can call them. `unsigned` names handlers that
    accept any caller. Without keys, nothing is refused. `sent_at` is asked only for a request that waited longer than
    its signature is valid, such as a message behind a long turn; without `sent_at` such a request is refused.

    `once` has the handlers that accept a request only under the idempotency key that it was signed for. Restate answers
    a copy under the same key without calling the handler.
    """

    @asynccontextmanager
    async def check() -> AsyncIterator[None]:
        ctx = cast(ServerInvocationContext | None, current_context())
        if keys is not None and ctx is not None and must_be_signed(ctx, unsigned):
            await require_signature(ctx, keys, sent_at, (once or {}).get(ctx.handler.name))
        yield

    return check


def must_be_signed(ctx: ServerInvocationContext, unsigned: Collection[str]) -> bool:
    """Return whether this attempt has to check the signature.

    A replay does not: its journal shows that an earlier attempt was let through. Since then time has passed, and the
    key may have been replaced.
    """
    handler = ctx.handler
    return not (handler.ingress_private or handler.name in unsigned or ctx.vm.is_replaying())


async def require_signature(
    ctx: ServerInvocationContext, keys: SpeakerKeys, sent_at: SentAt | None, sent_under: SentUnder | None = None
) -> None:
    """Raises a TerminalError with status 401 unless the gateway signed this request just before it was sent."""
    request = ctx.request()
    try:
        proof = keys.verify(request.headers.get(SPEAKER_HEADER, ""), target_of_invocation(ctx), request.body)
        if not (proof.in_time(datetime.now(UTC)) or await was_sent_in_time(proof, request.id, sent_at)):
            raise SpeakerRefused(TOO_OLD)
        if sent_under is not None and not await sent_under(request.id, proof.request_id):
            raise SpeakerRefused(COPY)
    except SpeakerRefused as reason:
        logger.warning("refused %s/%s: the request %s", ctx.handler.service_tag.name, ctx.handler.name, reason)
        raise restate.TerminalError(REFUSED.format(reason=reason), status_code=NOT_SIGNED_STATUS) from reason


async def was_sent_in_time(proof: Proof, invocation_id: str, sent_at: SentAt | None) -> bool:
    return sent_at is not None and proof.in_time(await sent_at(invocation_id))


def target_of_invocation(ctx: ServerInvocationContext) -> str:
    """Return what the request addressed: `Service/handler`, or `Object/key/handler`."""
    service, key = ctx.handler.service_tag, ctx.invocation.key
    return "/".join((service.name, *([key] if service.kind != "service" else []), ctx.handler.name))
