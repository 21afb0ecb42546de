"""Identity check before a tool reads or changes a customer's own data."""

import restate

from switchboard.contract import PersonalInput, Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.toolkit.refusal import Refusal
from switchboard.toolkit.rpc import allowed, call_tool

IDENTITY_CHECKS = "IdentityChecks"
"""The Restate object that records which sessions have verified a customer. Its key is the customer's id."""

UNAUTHORIZED = 401

VERIFY_FIRST = (
    "You are not signed in. To verify your identity, please give me two of the following: your date of birth, e-mail"
    " address, phone number, postal address."
)
"""Refusal for an unverified customer. Addressed to the customer, so that an agent can pass it on unchanged."""


class SessionRef(ToolInput):
    session_id: str


class Proven(WireModel):
    """Whether the customer was verified in the session."""

    proven: bool


IS_PROVEN = Tool(
    service=IDENTITY_CHECKS,
    handler="is_proven",
    purpose="Check whether the customer was verified in a session.",
    input=SessionRef,
    output=Proven,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)


async def require_verified_customer(ctx: restate.Context, customer_id: str, request: PersonalInput) -> None:
    """Raise TerminalError 401 unless the customer is signed in or was verified in this session.

    Call it before anything else in the handler. It cannot deadlock while an object's lock is held, because `is_proven`
    is a shared handler that takes no lock and calls no other handler.
    """
    if not await is_verified_customer(ctx, customer_id, request):
        allowed(Refusal(VERIFY_FIRST, UNAUTHORIZED))


async def is_verified_customer(ctx: restate.Context, customer_id: str, request: PersonalInput) -> bool:
    """Return whether the customer is signed in or was verified in this session."""
    if request.signed_in:
        return True
    return (await call_tool(ctx, IS_PROVEN, SessionRef(session_id=request.session_id), customer_id)).proven
