"""The mesh that is attacked: a customer with a question that waits for their yes, and a view of all that is stored.

An attack is a row of a table: what the attacker sends, what they get, and that nothing has changed afterwards.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from switchboard.speaker import SpeakerKeys
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.front import Gateway, Visitor
from tests.laboratory import Laboratory

VICTIM, ATTACKER = "alice", "mallory"
VICTIMS_SESSION = "victims-session"
VICTIMS_TEXT = "pay Bob"
PAID = 'paid {"to":"Bob","amount":"5"}'

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
SCENES = (
    scene(VICTIMS_TEXT, TO_PROBE, calls(("pay", {"to": "Bob", "amount": "5"})), says("paid")),
    scene("hi", says("hello")),
)

ANYTHING = scene("", says("hello")) | {"user": {"matches": "."}}
"""Answers every message."""

# Each request of a customer is counted in CustomerUsage, also one that is refused later.
STORED = "SELECT service_name, service_key, key, value_utf8 FROM state WHERE service_name <> 'CustomerUsage'"

HOSTILE = "hostile-"
"""Beginning of the ids of sessions with a hostile model."""

CHANGED_BY_SUMMARIES = {"window", "summary", "folding", "spending", "settled"}
"""Fields of a session's head. The summary of a long conversation with a hostile model may come while a later attack
runs. A turn would also change `turns_total` and `last_at`, and add a record."""


@dataclass
class Attacked:
    """A mesh with its gateway. `held_id` is the victim's pending question, which no attack may answer.

    `tokens_url` is a second gateway, with an identity provider. `spans` are the exports of all processes, in protobuf.
    """

    laboratory: Laboratory
    gateway: Gateway
    victim: Visitor
    held_id: str
    tokens_url: str = ""
    spans: list[bytes] = field(default_factory=list)

    @property
    def speaker(self) -> SpeakerKeys:
        return self.laboratory.mesh.speaker

    @property
    def ingress_url(self) -> str:
        return self.laboratory.mesh.addresses.ingress_url

    def attacker(self, **more: Any) -> Visitor:
        """Return a customer who is signed in as themselves."""
        return self.gateway.visitor(ATTACKER, **more)

    def tools_log(self) -> str:
        """Return what the tools of the tests have written."""
        log = self.laboratory.probe_log
        return log.read_text() if log.exists() else ""

    async def stored(self) -> dict[tuple[str, str, str], Any]:
        """Return all state of all objects, and what the tools of the tests have paid."""
        rows = await self.laboratory.query(STORED)
        found = {(row["service_name"], row["service_key"], row["key"]): compared(row) for row in rows}
        return {**found, ("payments", "", ""): self.laboratory.probed(PAID)}

    @asynccontextmanager
    async def nothing_changes(self) -> AsyncIterator[None]:
        """Check that an attack changes no state of any object, and pays nothing."""
        before = await self.stored()
        yield
        after = await self.stored()
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed == set()

    @asynccontextmanager
    async def only_changes(self, session: str) -> AsyncIterator[None]:
        """Check that an attack changes no state but that of the attacker's own session."""
        before = await self.stored()
        yield
        after = await self.stored()
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert {key[:2] for key in changed} <= {("Session", session)}


def compared(row: dict[str, Any]) -> Any:
    """Return the value of a state entry, without what a summary changes in a hostile model's session."""
    value = row.get("value_utf8")
    if value is None or row["key"] != "head" or not row["service_key"].startswith(HOSTILE):
        return value
    return {name: field for name, field in json.loads(value).items() if name not in CHANGED_BY_SUMMARIES}


async def ask_victim(laboratory: Laboratory, gateway: Gateway) -> Attacked:
    """Start the victim's session: a payment waits for their yes."""
    await laboratory.model.plays(*SCENES)
    victim = gateway.visitor(VICTIM, session=VICTIMS_SESSION)
    asked = await victim.says(VICTIMS_TEXT)
    assert asked.status == 200, asked
    confirmation: JSON = asked.body["confirmation"]
    return Attacked(laboratory, gateway, victim, confirmation["held_id"])
