"""Which agents there are: read from Restate's own registry, so that deploying an agent is all it takes to add it."""

import asyncio
import logging
import time
from datetime import timedelta

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from switchboard.agent import AGENT_NAME
from switchboard.messages import Card

logger = logging.getLogger(__name__)

ROLE = "switchboard.role"
TURN_HANDLER = "take_turn"

LOOKUP_TIMEOUT = timedelta(seconds=5)


class DirectoryUnavailable(Exception):
    """Restate's admin API does not answer and nobody was ever known. Restate retries."""


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
    """The registered agents' cards.

    Asked once a message. Lookups that arrive while one is under way share the next one, so that a thousand sessions
    cost one request at a time; each gets an answer younger than its question. The services, with all their schemas,
    are read again only when a deployment has changed: the list of deployments costs Restate a twentieth of it.
    """

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url.rstrip("/")
        self._http: aiohttp.ClientSession | None = None
        self._deployments: frozenset[_Deployment] = frozenset()
        self._lookup = asyncio.Lock()
        self._known: tuple[Card, ...] = ()
        self._asked_at = 0.0

    async def cards(self) -> tuple[Card, ...]:
        """Every agent of the mesh, by name. While the admin API is away, those that were known last."""
        arrived = time.monotonic()
        async with self._lookup:
            if self._asked_at < arrived:
                asked_at = time.monotonic()
                try:
                    await self._look()
                    self._asked_at = asked_at
                except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
                    if not self._known:
                        raise DirectoryUnavailable(f"cannot read the agents from {self._admin_url}: {error}") from error
                    # Also an attempt that failed is an answer for those who wait: one at a time is slow enough.
                    self._asked_at = asked_at
                    logger.warning("cannot read the agents, going on with those known: %s", error)
        return self._known

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _look(self) -> None:
        deployments = _Deployments.model_validate_json(await self._get("/deployments")).deployments
        if deployments != self._deployments:
            self._known = read_cards(await self._get("/services"))
            self._deployments = deployments

    async def _get(self, path: str) -> bytes:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LOOKUP_TIMEOUT.total_seconds()))
        async with self._http.get(self._admin_url + path) as response:
            response.raise_for_status()
            return await response.read()


def read_cards(answer: bytes) -> tuple[Card, ...]:
    """The agents among the registered services: role `agent` and a `take_turn` handler, in any language."""
    agents = [
        Card(name=service.name, handles=service.documentation or service.name)
        for service in sorted(_Services.model_validate_json(answer).services, key=lambda service: service.name)
        if service.metadata.get(ROLE) == "agent" and TURN_HANDLER in {handler.name for handler in service.handlers}
    ]
    for agent in agents:
        if not AGENT_NAME.fullmatch(agent.name):
            # Its name would stand in a function of every agent's, and endpoints refuse requests with such a function.
            logger.error(
                "agent %r is passed over: a name is a capital letter and up to 47 letters or digits", agent.name
            )
    return tuple(agent for agent in agents if AGENT_NAME.fullmatch(agent.name))
