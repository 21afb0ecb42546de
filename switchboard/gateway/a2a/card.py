"""The agent card: how other agents see this mesh. It has what the agents say about themselves, and nothing else."""

import asyncio
import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import cast

from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)
from a2a.utils.constants import PROTOCOL_VERSION_1_0, TransportProtocol
from a2a.utils.signing import ProtectedHeader, create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import RETRY_AFTER_S, UNAVAILABLE, problems_for_errors
from switchboard.gateway.settings import A2ASettings, load_signing_key
from switchboard.ingress import RestateIngress
from switchboard.messages import Card
from switchboard.session.contract import AGENT_LIST, Agents, AgentsRequest
from switchboard.version import VERSION

PATH = "/v1/a2a"
"""The endpoint for JSON-RPC, and the beginning of the paths for HTTP+JSON."""

KEPT = timedelta(minutes=1)
"""How long the list of agents is kept. The card can be read without a token, so each request must cost little."""

TIMEOUT = timedelta(seconds=10)
BEARER = "bearer"


class Cards:
    """Makes the card from the agents in Restate's registry."""

    def __init__(self, ingress: RestateIngress, settings: A2ASettings) -> None:
        self._ingress = ingress
        self._settings = settings
        self._sign = signer(settings)
        self._reading = asyncio.Lock()
        self._agents: tuple[Card, ...] = ()
        self._read_at = -KEPT.total_seconds()

    async def card(self, _: AgentCard | None = None) -> AgentCard:
        """Return the card. Raises Problem if the agents are not known yet and cannot be read."""
        async with self._reading:
            if time.monotonic() - self._read_at >= KEPT.total_seconds():
                await self._read()
        card = agent_card(self._agents, self._settings)
        return self._sign(card) if self._sign is not None else card

    async def _read(self) -> None:
        try:
            with problems_for_errors():
                content = await self._ingress.read(f"/{AGENT_LIST}/cards", AgentsRequest(), TIMEOUT)
        except Problem as problem:
            if not self._agents:
                raise Problem(503, problem.code, UNAVAILABLE, RETRY_AFTER_S) from problem
            return
        self._agents = Agents.model_validate_json(content).cards
        self._read_at = time.monotonic()


def agent_card(agents: tuple[Card, ...], settings: A2ASettings) -> AgentCard:
    """Return the card without a signature. Each agent is a skill."""
    url = f"{str(settings.a2a_url).rstrip('/')}{PATH}"
    bindings = (TransportProtocol.JSONRPC, TransportProtocol.HTTP_JSON)
    return AgentCard(
        name=settings.a2a_name,
        description=settings.a2a_description,
        version=VERSION,
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=PROTOCOL_VERSION_1_0)
            for binding in bindings
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=bool(settings.a2a_push_hosts)),
        security_schemes={
            BEARER: SecurityScheme(
                http_auth_security_scheme=HTTPAuthSecurityScheme(
                    scheme="Bearer", bearer_format="JWT", description="JWT that identifies the customer."
                )
            )
        },
        security_requirements=[SecurityRequirement(schemes={BEARER: StringList()})],
        default_input_modes=["text/plain", "application/json"],
        default_output_modes=["text/plain", "application/json"],
        skills=[
            AgentSkill(id=agent.name, name=agent.name, description=agent.handles, tags=["customer service"])
            for agent in agents
        ],
    )


def signer(settings: A2ASettings) -> Callable[[AgentCard], AgentCard] | None:
    """Return the function that signs cards; None without a key."""
    if settings.a2a_signing_key is None:
        return None
    key = load_signing_key(settings.a2a_signing_key)
    algorithm = "ES256" if isinstance(key, EllipticCurvePrivateKey) else "RS256"
    header = cast(ProtectedHeader, {"kid": key_id(key.public_key()), "alg": algorithm, "typ": "JOSE"})
    return create_agent_card_signer(settings.a2a_signing_key.get_secret_value(), header)


def key_id(key: EllipticCurvePublicKey | RSAPublicKey) -> str:
    """Return the public key's id: the SHA-256 of its DER form, in base64."""
    content = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
