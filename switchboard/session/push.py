"""Push notifications: an A2A client is told about its task with durable requests to the address that it has named.

The session tells TaskPush of each committed turn of a task. TaskPush knows the addresses, and the sender makes the
requests: each is retried for an hour, and only hosts that the settings name are asked.
"""

import logging
import ssl
from datetime import timedelta

import aiohttp
import restate

from switchboard.messages import WireModel
from switchboard.runtime.invocations import NOTHING_RETAINED, RETRIES, refuse_bad_input
from switchboard.runtime.speaker_check import signed_requests
from switchboard.session.contract import CustomerRequest
from switchboard.session.push_contract import (
    CONFIGS_MAX,
    TASK_PUSH,
    PushConfig,
    PushConfigs,
    PushRequest,
    SetPush,
    TaskChanged,
    may_be_told,
)
from switchboard.session.settings import PushSettings
from switchboard.speaker import SpeakerKeys
from switchboard.telemetry.spans import propagation_headers, traced

logger = logging.getLogger(__name__)

SENDER = "TaskPushSender"

KEPT = "addresses"
"""State key of the addresses."""

KEPT_MAX = 50
"""Addresses of one task, of all customers. Only the task's own customer's are used."""

KEPT_FOR = timedelta(days=30)
"""When the addresses of a task that never ends are forgotten."""

REQUEST_TIMEOUT = timedelta(seconds=10)
RETRIED_FOR = timedelta(hours=1)
RETRY_FIRST, RETRY_MAX = timedelta(seconds=1), timedelta(minutes=5)

TOKEN_HEADER = "X-A2A-Notification-Token"
MEDIA_TYPE = "application/a2a+json"

SERVER_ERROR, TOO_MANY_REQUESTS, OK_BELOW = 500, 429, 300

TOO_MANY = f"This task has {CONFIGS_MAX} push notification configs, which is the limit. Delete one of them."


class Kept(WireModel):
    """One address, and the customer who has named it."""

    customer_id: str
    signed_in: bool
    config: PushConfig


class AllKept(WireModel):
    """All addresses of a task."""

    kept: tuple[Kept, ...] = ()


class Delivery(WireModel):
    """One request to an address."""

    config: PushConfig
    payload: str


class NotDelivered(Exception):
    """The address does not answer, or not now. Restate retries."""


def task_push(settings: PushSettings, speaker: SpeakerKeys | None) -> tuple[restate.VirtualObject, restate.Service]:
    """Return the object with the addresses, and the service that makes the requests."""
    return addresses(speaker), sender(settings)


def addresses(speaker: SpeakerKeys | None) -> restate.VirtualObject:
    """Return the object with the addresses. `speaker` verifies that the gateway sets them."""
    push = restate.VirtualObject(
        TASK_PUSH,
        description="Addresses that are told about a task of another agent, by the task's id.",
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), refuse_bad_input, signed_requests(speaker)],
        **NOTHING_RETAINED,
    )

    @push.handler("set")
    async def set_address(ctx: restate.ObjectContext, request: SetPush) -> PushConfig:
        """Add an address, or replace the one with the same id."""
        kept = await load(ctx)
        others = tuple(each for each in kept if not (is_of(each, request) and each.config.id == request.config.id))
        if sum(is_of(each, request) for each in others) >= CONFIGS_MAX or len(others) >= KEPT_MAX:
            raise restate.TerminalError(TOO_MANY, status_code=400)
        new = Kept(customer_id=request.customer_id, signed_in=request.signed_in, config=request.config)
        ctx.set(KEPT, AllKept(kept=(*others, new)))
        if not kept:
            ctx.object_send(forget, ctx.key(), None, send_delay=KEPT_FOR)
        return request.config

    @push.handler("list", kind="shared")
    async def list_addresses(ctx: restate.ObjectSharedContext, request: PushRequest) -> PushConfigs:
        """Return the customer's addresses."""
        return PushConfigs(configs=tuple(each.config for each in await load(ctx) if is_of(each, request)))

    @push.handler("delete")
    async def delete_address(ctx: restate.ObjectContext, request: PushRequest) -> None:
        """Remove an address."""
        left = (each for each in await load(ctx) if not (is_of(each, request) and each.config.id == request.id))
        ctx.set(KEPT, AllKept(kept=tuple(left)))

    @push.handler("changed", ingress_private=True)
    async def changed(ctx: restate.ObjectContext, task: TaskChanged) -> None:
        """Tell the addresses of the task's customer about it."""
        for each in await load(ctx):
            # What a signed-in customer was told is not for a client that only claimed to speak for them.
            if each.customer_id == task.customer_id and (each.signed_in or not task.signed_in):
                delivery = Delivery(config=each.config, payload=task.payload)
                ctx.generic_send(SENDER, "send", delivery.model_dump_json().encode(), headers=propagation_headers())
        if task.over:
            ctx.clear_all()

    @push.handler("forget", ingress_private=True)
    async def forget(ctx: restate.ObjectContext) -> None:
        """Forget all addresses."""
        ctx.clear_all()

    return push


def sender(settings: PushSettings) -> restate.Service:
    """Return the service that makes the requests."""
    service = restate.Service(
        SENDER,
        description="Tells A2A clients about their tasks.",
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), refuse_bad_input],
        **NOTHING_RETAINED,
    )

    @service.handler("send")
    async def send(ctx: restate.Context, delivery: Delivery) -> None:
        """Make a request, and make it again for an hour while the address does not answer."""
        options: restate.RunOptions[None] = restate.RunOptions(
            max_duration=RETRIED_FOR, initial_retry_interval=RETRY_FIRST, max_retry_interval=RETRY_MAX
        )
        try:
            await ctx.run_typed("post", post, options, delivery, settings.a2a_push_hosts)
        except restate.TerminalError:
            logger.warning("a push notification was not delivered within %s", RETRIED_FOR)

    return service


async def load(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> tuple[Kept, ...]:
    found = await ctx.get(KEPT, type_hint=AllKept)
    return found.kept if found is not None else ()


def is_of(kept: Kept, request: CustomerRequest) -> bool:
    return (kept.customer_id, kept.signed_in) == (request.customer_id, request.signed_in)


async def post(delivery: Delivery, hosts: tuple[str, ...]) -> None:
    """Make the request once. Raises NotDelivered if it may succeed later."""
    config = delivery.config
    if not may_be_told(config.url, hosts):
        logger.warning("a push notification was dropped: its host is not in SWITCHBOARD_A2A_PUSH_HOSTS any more")
        return
    headers = {"content-type": MEDIA_TYPE}
    if config.token:
        headers[TOKEN_HEADER] = config.token
    if config.credentials:
        headers["authorization"] = f"{config.scheme or 'Bearer'} {config.credentials}"
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT.total_seconds())
    # Read now, so that SSL_CERT_FILE counts: aiohttp's own context is as old as the process.
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=trusted) as http,
            http.post(config.url, data=delivery.payload.encode(), headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotDelivered(type(error).__name__) from error
    if status >= SERVER_ERROR or status == TOO_MANY_REQUESTS:
        raise NotDelivered(f"HTTP {status}")
    if status >= OK_BELOW:
        logger.warning("a push notification was refused with status %s", status)
