"""A gateway in front of the laboratory's mesh, and customers who call it with a token."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import jwt
import pytest
from yarl import URL

from switchboard.gateway.identity import NOT_AUTHENTICATED_ACR, secret_key
from switchboard.gateway.settings import TokenSettings
from switchboard.gateway.token import mint
from switchboard.local.gateway import GatewayPorts, gateway_process, token_environment
from switchboard.local.process import Process, free_ports
from switchboard.session_ids import make_session_id
from switchboard.testing import JSON
from tests.laboratory import Laboratory

HIGH_LIMITS = {
    "GATEWAY_CUSTOMER_REQUESTS_MAX": "10000",
    "GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE": "0",
    "GATEWAY_ADDRESS_CONNECTIONS_MAX": "10000",
}
"""All tests share few customers and one address."""

SECRET = "a secret of the tests, long enough for HS256"


@dataclass(frozen=True)
class Answer:
    """A response of the gateway."""

    status: int
    body: JSON
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return str(self.body.get("text", self.body.get("detail", "")))


@dataclass
class Visitor:
    """A customer at the gateway, in one session: a new one unless it is given."""

    url: str
    http: aiohttp.ClientSession
    customer_id: str = "alice"
    session: str = field(default_factory=lambda: f"s-{uuid4()}")
    signed_in: bool = True
    key: str = field(default=SECRET, repr=False)

    @property
    def token(self) -> str:
        settings = TokenSettings.model_validate(token_environment(self.key))
        return mint(settings, self.customer_id, timedelta(minutes=5), datetime.now(UTC), self.signed_in)

    async def says(self, text: str, key: str | None = None, **more: Any) -> Answer:
        """Send a message and wait for the reply."""
        return await self.posts("messages", key, text=text, **more)

    async def posts(self, path: str, key: str | None = None, **body: Any) -> Answer:
        return await self.calls("POST", path, {"idempotency-key": key} if key else {}, json=body or None)

    async def gets(self, path: str) -> Answer:
        return await self.calls("GET", path)

    async def calls(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, as_is: bool = False, **more: Any
    ) -> Answer:
        """Send a request; `as_is` sends the path without normalising it."""
        sent = {"authorization": f"Bearer {self.token}", **(headers or {})}
        url = URL(f"{self.url}/v1/sessions/{self.session}/{path}", encoded=as_is)
        async with self.http.request(method, url, headers=sent, **more) as response:
            body = await response.json(content_type=None)
            return Answer(response.status, body, response.headers)


def guest_token(customer_id: str) -> str:
    """Return a new token of a customer who is not signed in. It differs from all others."""
    claims = {
        "sub": customer_id,
        "exp": datetime.now(UTC) + timedelta(minutes=5),
        "acr": NOT_AUTHENTICATED_ACR,
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, secret_key(SECRET), algorithm="HS256")


@dataclass
class Gateway:
    """A running gateway, its ports, and the mesh behind it."""

    process: Process
    ports: GatewayPorts
    laboratory: Laboratory

    def visitor(self, customer_id: str = "alice", http: aiohttp.ClientSession | None = None, **more: Any) -> Visitor:
        if not more.get("signed_in", True):
            # Before sign-in, the gateway makes the id.
            more = {"session": make_session_id(customer_id, self.laboratory.mesh.speaker), **more}
        return Visitor(self.ports.url, http or self.laboratory.http, customer_id, **more)

    def logged(self, words: str) -> bool:
        """Whether the gateway's log has these words. It logs a request after its answer: wait for them."""
        return words in self.process.log.read_text()

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.metrics}"

    async def metrics(self) -> str:
        async with self.laboratory.http.get(f"{self.metrics_url}/metrics") as response:
            return await response.text()

    async def probe(self, path: str) -> list[int]:
        """Return the statuses of a probe on the customers' port and on the metrics port."""
        statuses = []
        for url in (self.ports.url, self.metrics_url):
            async with self.laboratory.http.get(f"{url}/{path}") as response:
                statuses.append(response.status)
        return statuses


@asynccontextmanager
async def open_gateway(
    laboratory: Laboratory, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Gateway]:
    """Start a separate gateway; `environment` is added to its environment. `{http}` in it is the gateway's port."""
    http, metrics = free_ports(2)
    ports = GatewayPorts(http, metrics, laboratory.events_ports.pop())
    log = folder / "gateway.log"
    mcp = {"GATEWAY_MCP_URL": f"{ports.url}/v1/mcp"}
    own = {name: value.replace("{http}", str(http)) for name, value in (environment or {}).items()}
    given = {**laboratory.mesh.speaker_environment, **HIGH_LIMITS, **mcp, **own}
    process = gateway_process(ports, laboratory.mesh.addresses.ingress_url, SECRET, log, given)
    try:
        await process.start()
        yield Gateway(process, ports, laboratory)
    finally:
        await process.stop()
        laboratory.events_ports.append(ports.events)


@pytest.fixture(scope="session")
async def gateway(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """The gateway that the tests share."""
    async with open_gateway(laboratory, tmp_path_factory.mktemp("gateway")) as opened:
        yield opened
