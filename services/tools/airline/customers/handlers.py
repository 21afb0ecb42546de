"""Serves the airline's customers: one object for one customer, who pays all of a thing or nothing.

Credit cards are not charged here: only the card processor outside knows whether one is good for an amount, and nobody
waits for it while holding a customer's lock.
"""

import itertools
import logging
import random
from collections.abc import Iterator

import restate

from services.tools.airline.customers import profile as profiles
from services.tools.airline.customers.contract import (
    ADD_CERTIFICATE,
    AIRLINE_CUSTOMERS,
    CREDIT,
    GET_USER_DETAILS,
    LIST_COMPENSATIONS,
    PAY,
    SETTLE_PAYMENT,
    UNDO_PAYMENT,
    AddCertificate,
    Compensations,
    Credit,
    GetUserDetails,
    Noted,
    OperationRef,
    Pay,
)
from services.tools.airline.customers.profile import BENCHMARK_CERTIFICATES, Profile
from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.records import User, as_number
from services.tools.airline.settings import AirlineIds
from switchboard import NoInput, implements
from switchboard.contract import Text
from switchboard.messages import WireModel
from switchboard.telemetry.logs import private
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import allowed

PROFILE = "profile"
CERTIFICATE_DIGITS = 7

logger = logging.getLogger(__name__)


class OnRecord(WireModel):
    """What the data set has of a customer."""

    user: User | None


ON_RECORD = restate.RunOptions[OnRecord](type_hint=OnRecord)


def customers_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object; `data` has the customers as they were before they paid anything here."""
    customers = tool_object(AIRLINE_CUSTOMERS, "The airline's customers; the key is the customer's id.")

    @implements(customers, GET_USER_DETAILS, kind="shared")
    async def get_user_details(ctx: restate.ObjectSharedContext, _request: GetUserDetails) -> User:
        """The customer's profile. 404 for somebody whom the airline does not know."""
        return (await profile_of(ctx, data)).user

    @implements(customers, LIST_COMPENSATIONS, kind="shared")
    async def list_compensations(ctx: restate.ObjectSharedContext, _request: NoInput) -> Compensations:
        """For what the customer was compensated."""
        return Compensations(causes=(await profile_of(ctx, data)).compensated)

    add_payments(customers, data)
    return customers


def add_payments(customers: restate.VirtualObject, data: AirlineData) -> None:
    """Add the handlers that change what a customer has to pay with."""

    @implements(customers, PAY)
    async def pay(ctx: restate.ObjectContext, request: Pay) -> Noted:
        """Pay with the customer's own methods, once for each id. 404 for another's, 409 for one that cannot bear it."""
        before = await profile_to_change(ctx, data)
        return keep(ctx, before, allowed(profiles.pay(before, request)))

    @implements(customers, UNDO_PAYMENT)
    async def undo_payment(ctx: restate.ObjectContext, request: OperationRef) -> Noted:
        """Give the payments back. Does nothing when they were never made, or stand."""
        before = await profile_to_change(ctx, data)
        return keep(ctx, before, profiles.undo(before, request.operation_id))

    @implements(customers, SETTLE_PAYMENT)
    async def settle_payment(ctx: restate.ObjectContext, request: OperationRef) -> Noted:
        """The payments stand, from now on for good."""
        before = await profile_to_change(ctx, data)
        return keep(ctx, before, profiles.settle(before, request.operation_id))

    @implements(customers, CREDIT)
    async def credit(ctx: restate.ObjectContext, request: Credit) -> Noted:
        """Put money back on a gift card."""
        before = await profile_to_change(ctx, data)
        return keep(ctx, before, profiles.credit(before, request))

    @implements(customers, ADD_CERTIFICATE)
    async def add_certificate(ctx: restate.ObjectContext, request: AddCertificate) -> Text:
        """Give the customer a certificate. 409 when they were given one for the same cause."""
        before = await profile_to_change(ctx, data)
        ids = certificate_ids(ctx.random(), request.ids)
        after, certificate_id = allowed(profiles.add_certificate(before, request, ids))
        keep(ctx, before, after)
        logger.info("customer %s was given %s over %s", ctx.key(), certificate_id, private(request.amount))
        return Text(f"Certificate {certificate_id} added to user {ctx.key()} with amount {as_number(request.amount)}.")


def certificate_ids(drawn: random.Random, ids: AirlineIds) -> Iterator[str]:
    """The ids that a new certificate may have, in their order."""
    digits = (f"certificate_{drawn.randrange(10**CERTIFICATE_DIGITS):0{CERTIFICATE_DIGITS}d}" for _ in range(10))
    return itertools.chain(BENCHMARK_CERTIFICATES if ids == "benchmark" else (), digits)


def keep(ctx: restate.ObjectContext, before: Profile, after: Profile) -> Noted:
    if after != before:
        ctx.set(PROFILE, after)
    return Noted(changed=after != before)


async def profile_of(ctx: restate.ObjectSharedContext, data: AirlineData) -> Profile:
    """The customer as they stand, for a handler that only tells. Raises TerminalError 404.

    The data set is read outside of the journal: the last thing that is read, it decides nothing but the answer.
    """
    return await ctx.get(PROFILE, type_hint=Profile) or known(user_of(data, ctx.key()).user)


async def profile_to_change(ctx: restate.ObjectContext, data: AirlineData) -> Profile:
    """The customer as they stand. Raises TerminalError 404.

    What the data set says is journaled: a replay with another set would write another profile.
    """
    kept = await ctx.get(PROFILE, type_hint=Profile)
    return kept or known((await ctx.run_typed("customer", user_of, ON_RECORD, data, ctx.key())).user)


def user_of(data: AirlineData, user_id: str) -> OnRecord:
    return OnRecord(user=data.users.get(user_id))


def known(user: User | None) -> Profile:
    if user is None:
        raise restate.TerminalError("You are not known to this airline.", status_code=NOT_FOUND)
    return Profile(user=user)
