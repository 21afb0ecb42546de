"""Serves the airline's records to staff: everything as it stands, for operators and for evaluations."""

from datetime import timedelta

import restate

from services.tools.airline.clock import airline_now
from services.tools.airline.customers.contract import AIRLINE_CUSTOMERS, GET_USER_DETAILS, GetUserDetails
from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.flights.contract import FLIGHT_ON_DAY, FLIGHT_SEATS
from services.tools.airline.records.contract import AIRLINE_RECORDS, Dump, DumpRequest
from services.tools.airline.records.introspection import AllChanged, changed_objects
from services.tools.airline.records.merging import dump as merged
from services.tools.airline.reservations.contract import READ_RECORD, RESERVATIONS
from services.tools.airline.settings import airline_settings
from switchboard import NoInput
from switchboard.toolkit.declare import staff_service
from switchboard.toolkit.rpc import read, start

LOOKUP = restate.RunOptions[AllChanged](type_hint=AllChanged, max_duration=timedelta(minutes=1))


def airline_records_service(data: AirlineData) -> restate.Service:
    """Build the service; `data` has the records as they were before anything changed here."""
    airline_records = staff_service(
        AIRLINE_RECORDS,
        "The airline's records as they stand. Staff only: it tells everything of everybody, so whatever stands in front"
        " of the ingress has to let nobody else through to it.",
    )

    @airline_records.handler()
    async def dump(ctx: restate.Context, request: DumpRequest) -> Dump:
        """All records, or those that have changed. Raises TerminalError 500 when Restate's tables cannot be read."""
        now = await airline_now(ctx)
        url = str(airline_settings().restate_admin_url)
        changed = (await ctx.run_typed("changed objects", changed_objects, LOOKUP, url)).rows
        keys = {
            service: sorted(row.service_key for row in changed if row.service_name == service)
            for service in (AIRLINE_CUSTOMERS, RESERVATIONS, FLIGHT_SEATS)
        }
        # All are started before any is awaited: the journal then holds them in one order on every replay.
        users = [
            start(ctx, GET_USER_DETAILS, GetUserDetails(user_id=key, signed_in=True), key)
            for key in keys[AIRLINE_CUSTOMERS]
        ]
        records = [start(ctx, READ_RECORD, NoInput(), key) for key in keys[RESERVATIONS]]
        flights = [start(ctx, FLIGHT_ON_DAY, NoInput(), key) for key in keys[FLIGHT_SEATS]]
        await restate.gather(*users, *records, *flights)
        kept = [(await read(READ_RECORD, call)).reservation for call in records]
        days = [await read(FLIGHT_ON_DAY, call) for call in flights]
        return merged(
            data,
            users={
                key: await read(GET_USER_DETAILS, call)
                for key, call in zip(keys[AIRLINE_CUSTOMERS], users, strict=True)
            },
            reservations={key: one for key, one in zip(keys[RESERVATIONS], kept, strict=True) if one is not None},
            seats={(one.flight_number, one.date): one.day.available_seats or {} for one in days},
            now=now,
            changed_only=request.changed_only,
        )

    return airline_records
