"""Query Restate's tables: which of the airline's objects have state, and whether a write is in progress."""

from datetime import timedelta

import aiohttp
from pydantic import BaseModel

from services.tools.airline.customers.contract import AIRLINE_CUSTOMERS
from services.tools.airline.flights.contract import FLIGHT_SEATS
from services.tools.airline.reservations.contract import RESERVATION_DESK, RESERVATIONS
from switchboard.addresses import Addresses
from switchboard.messages import WireModel
from switchboard.retry import poll

QUERY_TIMEOUT = timedelta(seconds=30)
QUIET_TIMEOUT = timedelta(seconds=10)
POLL_INTERVAL = timedelta(milliseconds=20)

OBJECTS = (AIRLINE_CUSTOMERS, RESERVATIONS, FLIGHT_SEATS)
QUOTED = ", ".join(f"'{name}'" for name in (*OBJECTS, RESERVATION_DESK))

KEYS = f"SELECT DISTINCT service_name, service_key FROM state WHERE service_name IN ({QUOTED})"
IN_PROGRESS = (
    f"SELECT count(*) AS busy FROM sys_invocation WHERE target_service_name IN ({QUOTED})"
    " AND status NOT IN ('completed', 'scheduled', 'paused')"
)


class Changed(WireModel):
    """An object that has state."""

    service_name: str
    service_key: str


class AllChanged(WireModel):
    rows: tuple[Changed, ...]


class _Count(BaseModel):
    busy: int


class _Counts(BaseModel):
    rows: list[_Count]


async def changed_objects(admin_url: str) -> AllChanged:
    """Return the objects that have state. Waits until no write is in progress, but not longer than QUIET_TIMEOUT."""
    admin = Addresses(admin_url)
    timeout = aiohttp.ClientTimeout(total=QUERY_TIMEOUT.total_seconds())
    async with aiohttp.ClientSession(timeout=timeout) as http:

        async def quiet() -> bool:
            counts = _Counts.model_validate_json(await query(http, admin, IN_PROGRESS))
            return not any(row.busy for row in counts.rows)

        await poll(quiet, POLL_INTERVAL, QUIET_TIMEOUT)
        return AllChanged.model_validate_json(await query(http, admin, KEYS))


async def query(http: aiohttp.ClientSession, admin: Addresses, sql: str) -> bytes:
    async def ask(url: str) -> bytes:
        headers = {"accept": "application/json"}
        async with http.post(f"{url}/query", json={"query": sql}, headers=headers) as response:
            response.raise_for_status()
            return await response.read()

    return await admin.first_answer(ask, (aiohttp.ClientError,), QUIET_TIMEOUT)
