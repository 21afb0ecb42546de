"""Serve a dump of the airline's current records to staff, for operators and evaluations."""

from datetime import timedelta

import restate

from services.tools.airline.clock import airline_now
from services.tools.airline.customers.contract import AIRLINE_CUSTOMERS, GET_USER_DETAILS, GetUserDetails
from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.flights.contract import FLIGHT_ON_DAY, FLIGHT_SEATS
from services.tools.airline.record_dump.contract import AIRLINE_RECORDS, Dump, DumpRequest
from services.tools.airline.record_dump.introspection import AllChanged, changed_objects
from services.tools.airline.record_dump.merging import dump as merged
from services.tools.airline.reservations.contract import READ_RECORD, RESERVATIONS
from services.tools.airline.settings import airline_settings
from switchboard import NoInput
from switchboard.toolkit.declare import staff_service
from switchboard.toolkit.rpc import read, start

LOOKUP = restate.RunOptions[AllChanged](type_hint=AllChanged, max_duration=timedelta(minutes=1))


def airline_records_service(data: AirlineData) -> restate.Service:
    """Build the service. `data` holds the records in their initial state."""
    airline_records = staff_service(
        AIRLINE_RECORDS,
        "The airline's current records, with the data of all customers.",
    )

    @airline_records.handler()
    async def dump(ctx: restate.Context, request: DumpRequest) -> Dump:
        """Return all records, or only the changed ones. TerminalError 500 if Restate's tables cannot be read."""
        now = await airline_now(ctx)
        url = airline_settings().restate_admin_url
        changed = (await ctx.run_typed("changed objects", changed_objects, LOOKUP, url)).rows
        keys = {
            service: sorted(row.service_key for row in changed if row.service_name == service)
            for service in (AIRLINE_CUSTOMERS, RESERVATIONS, FLIGHT_SEATS)
        }
        # Start all calls before awaiting any, so that the journal has the same order on every replay.
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
