"""Serve the airline's customers: one object per customer. A payment succeeds completely or not at all.

Credit cards are not charged here. Only the external card processor knows whether a card covers an amount, and a call to
it must not hold the customer's lock.
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
    Acknowledgement,
    AddCertificate,
    Compensations,
    Credit,
    GetUserDetails,
    OperationRef,
    Pay,
)
from services.tools.airline.customers.profile import BENCHMARK_CERTIFICATES, Profile
from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.models import User, as_number
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


class CustomerRecord(WireModel):
    """The customer in the data set, or None."""

    user: User | None


CUSTOMER_RECORD = restate.RunOptions[CustomerRecord](type_hint=CustomerRecord)


def customers_object(data: AirlineData) -> restate.VirtualObject:
    """Build the object. `data` holds the customers in their initial state."""
    customers = tool_object(AIRLINE_CUSTOMERS, "The airline's customers; the key is the customer's id.")

    @implements(customers, GET_USER_DETAILS, kind="shared")
    async def get_user_details(ctx: restate.ObjectSharedContext, _request: GetUserDetails) -> User:
        """Return the customer's profile. 404 if the airline does not know the customer."""
        return (await profile_of(ctx, data)).user

    @implements(customers, LIST_COMPENSATIONS, kind="shared")
    async def list_compensations(ctx: restate.ObjectSharedContext, _request: NoInput) -> Compensations:
        """Return the causes for which the customer was compensated."""
        return Compensations(causes=(await profile_of(ctx, data)).compensated)

    add_payments(customers, data)
    return customers


def add_payments(customers: restate.VirtualObject, data: AirlineData) -> None:
    """Add the handlers that change a customer's payment methods."""

    @implements(customers, PAY)
    async def pay(ctx: restate.ObjectContext, request: Pay) -> Acknowledgement:
        """Pay once per operation id. 404 for a payment method that is not the customer's, 409 for too low a balance."""
        before = await profile_to_change(ctx, data)
        return store(ctx, before, allowed(profiles.pay(before, request)))

    @implements(customers, UNDO_PAYMENT)
    async def undo_payment(ctx: restate.ObjectContext, request: OperationRef) -> Acknowledgement:
        """Undo the payments. Does nothing if they were never made or are settled."""
        before = await profile_to_change(ctx, data)
        return store(ctx, before, profiles.undo(before, request.operation_id))

    @implements(customers, SETTLE_PAYMENT)
    async def settle_payment(ctx: restate.ObjectContext, request: OperationRef) -> Acknowledgement:
        """Make the payments final; they can no longer be undone."""
        before = await profile_to_change(ctx, data)
        return store(ctx, before, profiles.settle(before, request.operation_id))

    @implements(customers, CREDIT)
    async def credit(ctx: restate.ObjectContext, request: Credit) -> Acknowledgement:
        """Refund an amount to a gift card."""
        before = await profile_to_change(ctx, data)
        return store(ctx, before, profiles.credit(before, request))

    @implements(customers, ADD_CERTIFICATE)
    async def add_certificate(ctx: restate.ObjectContext, request: AddCertificate) -> Text:
        """Give the customer a certificate. 409 if they already got one for the same cause."""
        before = await profile_to_change(ctx, data)
        ids = certificate_ids(ctx.random(), request.ids)
        after, certificate_id = allowed(profiles.add_certificate(before, request, ids))
        store(ctx, before, after)
        logger.info("customer %s received %s for %s", ctx.key(), certificate_id, private(request.amount))
        return Text(f"Certificate {certificate_id} added to user {ctx.key()} with amount {as_number(request.amount)}.")


def certificate_ids(drawn: random.Random, ids: AirlineIds) -> Iterator[str]:
    """Yield the ids to try for a new certificate, in order."""
    digits = (f"certificate_{drawn.randrange(10**CERTIFICATE_DIGITS):0{CERTIFICATE_DIGITS}d}" for _ in range(10))
    return itertools.chain(BENCHMARK_CERTIFICATES if ids == "benchmark" else (), digits)


def store(ctx: restate.ObjectContext, before: Profile, after: Profile) -> Acknowledgement:
    if after != before:
        ctx.set(PROFILE, after)
    return Acknowledgement(changed=after != before)


async def profile_of(ctx: restate.ObjectSharedContext, data: AirlineData) -> Profile:
    """Return the customer's current profile, for read-only handlers. Raises TerminalError 404.

    The data set is not journaled here: it is read last and affects only the result.
    """
    return await ctx.get(PROFILE, type_hint=Profile) or existing_profile(user_of(data, ctx.key()).user)


async def profile_to_change(ctx: restate.ObjectContext, data: AirlineData) -> Profile:
    """Return the customer's current profile, for handlers that write. Raises TerminalError 404.

    The data set's record is journaled, because a replay with another data set would write another profile.
    """
    kept = await ctx.get(PROFILE, type_hint=Profile)
    return kept or existing_profile((await ctx.run_typed("customer", user_of, CUSTOMER_RECORD, data, ctx.key())).user)


def user_of(data: AirlineData, user_id: str) -> CustomerRecord:
    return CustomerRecord(user=data.users.get(user_id))


def existing_profile(user: User | None) -> Profile:
    if user is None:
        raise restate.TerminalError("You are not known to this airline.", status_code=NOT_FOUND)
    return Profile(user=user)
