"""The check of signatures: a request counts from the time when it was sent, and a replay is not checked again."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import restate
from restate.server_context import ServerInvocationContext

from switchboard.local.process import free_ports
from switchboard.runtime.speaker_check import must_be_signed, require_signature
from switchboard.session.introspection import Introspection
from switchboard.session.session import sent_under
from switchboard.speaker import SpeakerKeys

KEYS = SpeakerKeys(["k" * 32])
BODY = b"{}"


def invocation(
    headers: dict[str, str], handler: str = "send", replaying: bool = False, private: bool = False, kind: str = "object"
) -> ServerInvocationContext:
    """Return as much of an invocation as the check reads."""
    tag = SimpleNamespace(name="Session", kind=kind)
    return cast(
        ServerInvocationContext,
        SimpleNamespace(
            handler=SimpleNamespace(name=handler, service_tag=tag, ingress_private=private),
            invocation=SimpleNamespace(key="s-1"),
            vm=SimpleNamespace(is_replaying=lambda: replaying),
            request=lambda: SimpleNamespace(headers=headers, body=BODY, id="inv_1"),
        ),
    )


def signed(age: timedelta = timedelta(0), target: str = "Session/s-1/send") -> dict[str, str]:
    return KEYS.sign(target, BODY, at=datetime.now(UTC) - age)


def sent(ago: timedelta) -> Callable[[str], Awaitable[datetime]]:
    async def sent_at(invocation_id: str) -> datetime:
        assert invocation_id == "inv_1"
        return datetime.now(UTC) - ago

    return sent_at


async def test_fresh_request_is_accepted_without_a_lookup() -> None:
    async def lookup(invocation_id: str) -> datetime:
        raise AssertionError("the tables were read")

    await require_signature(invocation(signed()), KEYS, lookup)
    await require_signature(invocation(signed(target="Session/send"), kind="service"), KEYS, None)


async def test_request_that_waited_behind_a_long_turn_counts_from_when_it_was_sent() -> None:
    waited = timedelta(hours=1)
    await require_signature(invocation(signed(waited)), KEYS, sent(waited - timedelta(seconds=50)))
    with pytest.raises(restate.TerminalError, match="too long after it was signed") as refused:
        await require_signature(invocation(signed(waited)), KEYS, sent(waited - timedelta(minutes=5)))
    assert refused.value.status_code == 401
    with pytest.raises(restate.TerminalError, match="too long after it was signed"):
        await require_signature(invocation(signed(waited)), KEYS, None)


async def test_request_is_neither_accepted_nor_called_forged_while_the_tables_cannot_be_read() -> None:
    async def away(invocation_id: str) -> datetime:
        raise restate.TerminalError("not now", status_code=503)

    with pytest.raises(restate.TerminalError, match="not now"):
        await require_signature(invocation(signed(timedelta(hours=1))), KEYS, away)


async def test_request_counts_only_under_the_key_that_it_was_signed_for() -> None:
    async def lookup(invocation_id: str, key: str) -> bool:
        assert invocation_id == "inv_1"
        return key == "stop-1"

    await require_signature(invocation(KEYS.sign("Session/s-1/send", BODY, "stop-1")), KEYS, None, lookup)
    for key in ("stop-2", ""):
        copy = invocation(KEYS.sign("Session/s-1/send", BODY, key))
        with pytest.raises(restate.TerminalError, match="signed for another idempotency key") as refused:
            await require_signature(copy, KEYS, None, lookup)
        assert refused.value.status_code == 401


async def test_stop_is_believed_while_the_tables_cannot_be_read() -> None:
    """A customer can stop a turn also then."""
    (port,) = free_ports(1)
    assert await sent_under(Introspection(f"http://127.0.0.1:{port}"), "inv_1", "stop-1")


@pytest.mark.parametrize(
    ("what", "checked"),
    [
        ({}, True),
        ({"replaying": True}, False),
        ({"private": True}, False),
        ({"handler": "claim"}, False),
        ({"handler": "interrupt"}, True),
    ],
)
def test_replays_private_and_named_handlers_are_not_checked(what: dict[str, Any], checked: bool) -> None:
    assert must_be_signed(invocation({}, **what), ("claim",)) == checked
