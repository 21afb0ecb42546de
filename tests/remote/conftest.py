"""A mesh with a remote agent, an A2A server at its gateway, and an address for push notifications."""

import json
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from switchboard.local.process import Process, free_ports
from switchboard.retry import RetryPolicy, retry
from switchboard.testing import JSON, calls, says, scene
from switchboard.testing.customer import Customer
from tests.laboratory import SOON, Laboratory, open_laboratory
from tests.parts import PROJECT

TO_INSURER = calls(("handoff_to_Insurer", {"reason": "travel insurance"}))
HANDS_BACK = says("never said")
"""Stands in a scene for the remote agent's own step, which no model takes."""

TOKEN = "the mesh's own token"
SOONER = {
    "SWITCHBOARD_REMOTE_POLL_FIRST": "PT0.1S",
    "SWITCHBOARD_REMOTE_POLL_MAX": "PT0.5S",
    "SWITCHBOARD_REMOTE_ANSWER_WITHIN": "PT3S",
    "SWITCHBOARD_REMOTE_WORKS_MAX": "PT2S",
    "SWITCHBOARD_REMOTE_AWAY_MAX": "PT5S",
    "SWITCHBOARD_REMOTE_REQUEST_TIMEOUT": "PT3S",
    "SWITCHBOARD_REMOTE_TOKENS": json.dumps({"Insurer": TOKEN}),
}
"""Days, in seconds."""


@dataclass
class Webhook:
    """An https server that is told about tasks. It answers the first requests with these statuses."""

    port: int
    told: list[tuple[dict[str, str], JSON]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    async def handle(self, request: web.Request) -> web.Response:
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        self.told.append((dict(request.headers), json.loads(await request.text())))
        return web.Response()


@asynccontextmanager
async def open_webhook(folder: Path) -> AsyncIterator[Webhook]:
    """Serve the webhook with a certificate of its own, `webhook.pem`."""
    key, pem = ec.generate_private_key(ec.SECP256R1()), folder / "webhook.pem"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    at = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "webhook.key").write_bytes(secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, folder / "webhook.key")
    webhook = Webhook(free_ports(1)[0])
    app = web.Application()
    app.router.add_post("/told", webhook.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "localhost", webhook.port, ssl_context=context).start()
    try:
        yield webhook
    finally:
        await runner.cleanup()


@dataclass
class Insured:
    """A mesh with a remote agent, the remote agent's process, and who is told about tasks."""

    laboratory: Laboratory
    insurer: Process
    agent: Process
    log: Path
    webhook: Webhook
    folder: Path

    def heard(self, text: str) -> list[JSON]:
        """Return the messages with this text that the remote agent has got."""
        # The last line may be written just now.
        written = self.log.read_text().rpartition("\n")[0] if self.log.exists() else ""
        lines = [json.loads(line) for line in written.splitlines()]
        return [each for each in lines if text in json.dumps(each)]

    @contextmanager
    def card(self, shown: str) -> Iterator[None]:
        """Let the remote agent show one of `insurer.CARDS`, and its own one afterwards."""
        named = self.log.with_suffix(".card")
        named.write_text(shown)
        try:
            yield
        finally:
            named.unlink()

    async def waits(self) -> bool:
        """Return whether a turn waits for the remote agent. Then its journal has the id of the task."""
        rows = await self.laboratory.query(
            "SELECT j.id FROM sys_journal AS j JOIN sys_invocation AS i ON j.id = i.id"
            " WHERE i.target = 'Insurer/take_turn' AND i.status != 'completed' AND j.name = 'remote agent works'"
        )
        return bool(rows)

    async def asks(self, text: str, *after: JSON, customer: Customer | None = None) -> tuple[Customer, JSON]:
        """Let a customer write a message that is handed over, and return the reply."""
        await self.laboratory.model.plays(scene(text, TO_INSURER, HANDS_BACK, *after))
        customer = customer or self.laboratory.customer()
        key = unique()
        return customer, await retry(lambda: said(customer, text, key), RETRIES, (aiohttp.ClientError, Unanswered))

    async def result(self, customer: Customer, turn: int = -1) -> dict[str, Any]:
        """Return what the hand-back of a turn says to the model that answers."""
        messages = (await turns(customer))[turn]["messages"]
        (content,) = (each["content"] for each in messages if each["kind"] == "tool" and '"from"' in each["content"])
        found: dict[str, Any] = json.loads(content)
        return found


@pytest.fixture(scope="package")
async def insured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Insured]:
    folder = tmp_path_factory.mktemp("insured")
    port, agent_port = free_ports(2)
    log = folder / "insurer.log"
    url = f"http://127.0.0.1:{port}"
    insurer = Process(
        name="insurer",
        command=[sys.executable, "-m", "tests.remote.insurer"],
        environment={"PORT": str(port), "INSURER_LOG": str(log)},
        port=port,
        health=f"{url}/health",
        log=folder / "insurer.out",
        folder=PROJECT,
    )
    async with open_webhook(folder) as webhook:
        told = {"SWITCHBOARD_A2A_PUSH_HOSTS": webhook.host, "SSL_CERT_FILE": str(folder / "webhook.pem")}
        given = {**SOON, **SOONER, **told}
        async with open_insured(folder, given, insurer, agent_port, url, log, webhook) as opened:
            yield opened


@asynccontextmanager
async def open_insured(
    folder: Path, given: dict[str, str], insurer: Process, agent_port: int, url: str, log: Path, webhook: Webhook
) -> AsyncIterator[Insured]:
    """Start the mesh and the remote agent. Restate replays at every await."""
    async with open_laboratory(folder / "mesh", replays=True, environment=given) as laboratory:
        mesh = laboratory.mesh
        agent = mesh.service("insurer_agent", agent_port, module="tests.remote.insurer_agent")
        agent.environment = {**agent.environment, "INSURER_URL": url}
        try:
            for process in (insurer, agent):
                await process.start()
            await mesh.register(f"http://127.0.0.1:{agent_port}")
            yield Insured(laboratory, insurer, agent, log, webhook, folder)
        finally:
            for process in (agent, insurer):
                await process.kill()


RETRIES = RetryPolicy(pause=timedelta(milliseconds=200), attempts_max=100)


class Unanswered(Exception):
    """Restate has just started, and does not know its services yet."""


async def said(customer: Customer, text: str, key: str = "") -> JSON:
    answer = await customer.says(text, key or None)
    if answer.status != 200:
        raise Unanswered(answer)
    return answer.body


async def turns(customer: Customer) -> list[JSON]:
    found: list[JSON] = (await customer.asks("transcript", limit=50)).body["turns"]
    return found


def unique() -> str:
    return uuid4().hex
