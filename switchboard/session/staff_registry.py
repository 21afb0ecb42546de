"""Looks up the mesh's staff services in Restate's registry, so that deploying one is enough to offer it."""

from typing import Any

import aiohttp
from pydantic import BaseModel, ValidationError

from switchboard.addresses import Addresses
from switchboard.messages import WireModel
from switchboard.session.directory import LOOKUP_TIMEOUT, ROLE
from switchboard.session.staff_contract import BY, STAFF_ROLE, StaffService, StaffServices

LOOKUP_FAILURES = (aiohttp.ClientError, TimeoutError, ValidationError)


class _Handler(BaseModel):
    name: str
    input_json_schema: Any = None

    @property
    def takes_by(self) -> bool:
        schema = self.input_json_schema
        return isinstance(schema, dict) and BY in schema.get("properties", {})


class _Service(BaseModel):
    name: str
    metadata: dict[str, str] = {}
    documentation: str | None = None
    handlers: list[_Handler] = []


class _Services(BaseModel):
    services: list[_Service]


class StaffHandler(WireModel):
    """A handler of a staff service. `takes_by` says that its input has the field for the staff member."""

    service: str
    name: str
    takes_by: bool


class Registered(WireModel):
    """What the registry says. `known` is False while it cannot be read."""

    known: bool
    services: StaffServices = StaffServices(services=())
    handlers: tuple[StaffHandler, ...] = ()

    def find(self, service: str, handler: str) -> StaffHandler | None:
        return next((one for one in self.handlers if (one.service, one.name) == (service, handler)), None)


class StaffRegistry:
    """Reads the staff services from Restate's admin API."""

    def __init__(self, admin_url: str) -> None:
        self._addresses = Addresses(admin_url)

    async def look_up(self) -> Registered:
        """Return the registered staff services, or that the registry cannot be read."""
        timeout = aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds())
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http:

                async def ask(url: str) -> bytes:
                    async with http.get(f"{url}/services") as response:
                        response.raise_for_status()
                        return await response.read()

                return read_services(await self._addresses.first_answer(ask, (aiohttp.ClientError,)))
        except LOOKUP_FAILURES:
            return Registered(known=False)


def read_services(answer: bytes) -> Registered:
    """Return the services whose role is `staff`. Raises ValidationError if the answer is not the registry's."""
    found = sorted(_Services.model_validate_json(answer).services, key=lambda service: service.name)
    ours = [service for service in found if service.metadata.get(ROLE) == STAFF_ROLE]
    return Registered(
        known=True,
        services=StaffServices(
            services=tuple(
                StaffService(
                    name=service.name,
                    description=service.documentation or "",
                    handlers=tuple(sorted(handler.name for handler in service.handlers)),
                )
                for service in ours
            )
        ),
        handlers=tuple(
            StaffHandler(service=service.name, name=handler.name, takes_by=handler.takes_by)
            for service in ours
            for handler in service.handlers
        ),
    )
