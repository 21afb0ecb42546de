"""Lists the mesh's agents from Restate's registry, so that deploying an agent is enough to add it."""

import asyncio
import logging
import math
import time
from datetime import timedelta

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from switchboard.addresses import Addresses
from switchboard.agent import AGENT_NAME
from switchboard.messages import Card

logger = logging.getLogger(__name__)

ROLE = "switchboard.role"
TURN_HANDLER = "take_turn"

LOOKUP_TIMEOUT = timedelta(seconds=5)


class DirectoryUnavailable(Exception):
    """Restate's admin API is unavailable and no agents are cached. Restate retries the lookup."""


class _Handler(BaseModel):
    name: str


class _Service(BaseModel):
    name: str
    metadata: dict[str, str] = {}
    documentation: str | None = None
    handlers: list[_Handler] = []


class _Services(BaseModel):
    services: list[_Service]


class _Revision(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    revision: int


class _Deployment(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    created_at: str
    services: tuple[_Revision, ...]


class _Deployments(BaseModel):
    deployments: frozenset[_Deployment]


class Directory:
    """The registered agents' cards, looked up once per message.

    Lookups that arrive while one is in flight share the next one. So a thousand sessions cause one request at a time,
    and each gets data that is newer than its lookup. The services with all their schemas are read again only when a
    deployment has changed, because the list of deployments costs Restate a twentieth of that.
    """

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._addresses = Addresses(admin_url)
        self._http: aiohttp.ClientSession | None = None
        self._answer = b""
        self._deployments: frozenset[_Deployment] = frozenset()
        self._lookup = asyncio.Lock()
        self._cached: tuple[Card, ...] = ()
        self._asked_at = -math.inf

    async def cards(self, age_max: timedelta = timedelta(0)) -> tuple[Card, ...]:
        """Return all agents, sorted by name, as they were at most `age_max` ago.

        While the admin API is unavailable, returns the cached ones.
        """
        oldest = time.monotonic() - age_max.total_seconds()
        async with self._lookup:
            if self._asked_at < oldest:
                asked_at = time.monotonic()
                try:
                    await self._refresh()
                    self._asked_at = asked_at
                except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
                    if not self._cached:
                        raise DirectoryUnavailable(f"cannot read the agents from {self._admin_url}: {error}") from error
                    # Waiting lookups share a failed attempt too, or each would wait for its own timeout in turn.
                    self._asked_at = asked_at
                    logger.warning("cannot read the agents; using the cached ones: %s", error)
        return self._cached

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _refresh(self) -> None:
        answer = await self._get("/deployments")
        if answer == self._answer:  # Reading it costs more than asking for it.
            return
        deployments = _Deployments.model_validate_json(answer).deployments
        if deployments != self._deployments:
            self._cached = read_cards(await self._get("/services"))
            self._deployments = deployments
        self._answer = answer

    async def _get(self, path: str) -> bytes:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds()))
        http = self._http

        async def ask(url: str) -> bytes:
            async with http.get(url + path) as response:
                response.raise_for_status()
                return await response.read()

        return await self._addresses.first_answer(ask, (aiohttp.ClientError,))


def read_cards(answer: bytes) -> tuple[Card, ...]:
    """Return the registered services that are agents: role `agent` and a `take_turn` handler, in any language."""
    agents = [
        Card(name=service.name, handles=service.documentation or service.name)
        for service in sorted(_Services.model_validate_json(answer).services, key=lambda service: service.name)
        if service.metadata.get(ROLE) == "agent" and TURN_HANDLER in {handler.name for handler in service.handlers}
    ]
    for agent in agents:
        if not AGENT_NAME.fullmatch(agent.name):
            # The name becomes part of a function's name. Model endpoints reject requests with invalid function names.
            logger.error(
                "agent %r is ignored: a name must be a capital letter and up to 47 letters or digits", agent.name
            )
    return tuple(agent for agent in agents if AGENT_NAME.fullmatch(agent.name))
