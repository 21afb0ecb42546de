"""Record unfinished conversations, which later versions must be able to continue.

`python -m scripts.record_conversations FILE` stops a mesh in the middle of its work and packs Restate's data folder
into FILE. tests/mesh/test_recorded_conversations.py starts the current code on that data. Record once per release and
keep the older files, because users have journals of every version.
"""

import asyncio
import sys
import tarfile
import tempfile
from functools import partial
from pathlib import Path

import aiohttp

from services.project import reference
from switchboard.ingress_client import MeshClient
from switchboard.local.mesh import DEMO_MODEL, Addresses, Mesh
from switchboard.local.restate_server import Ports
from switchboard.testing import Customer, ScriptedModel, calls, says, scene

PORTS = Addresses(
    {"triage": 19_081, "bank": 19_082, "airline": 19_083, "tools": 19_084, DEMO_MODEL: 19_099},
    Ports(18_080, 19_070, 15_122),
)
"""Fixed addresses, because an invocation in flight is pinned to the address of its deployment."""

FOREVER = "P3650D"
LIMITS = {
    "SWITCHBOARD_TIMER_AHEAD_MIN": "PT1S",
    "SWITCHBOARD_APPROVAL_DEADLINE": FOREVER,
    "SWITCHBOARD_TURN_DEADLINE": FOREVER,
    "SWITCHBOARD_CONSENT_EXPIRES_AFTER": FOREVER,
}
"""Limits that keep recorded conversations from expiring before they continue."""

ONE_PARTITION = {"RESTATE_DEFAULT_NUM_PARTITIONS": "1"}
IN_FLIGHT_KEY = "recorded-turn"
RETRY_AFTER_S = 25
REMIND_AFTER = "PT60S"

TO_BANK = calls(("handoff_to_Bank", {"reason": "a reminder"}))
REMINDER = calls(("remind_me", {"text": "call the landlord", "after": REMIND_AFTER}))


async def record(folder: Path) -> None:
    """Create a finished turn, a held question, a pending approval, a timer and a turn in flight."""
    async with (
        Mesh(reference(), folder, PORTS, environment=LIMITS, restate_environment=ONE_PARTITION) as mesh,
        aiohttp.ClientSession() as http,
    ):
        customer = partial(Customer, mesh.addresses.ingress_url, http, speaker=mesh.speaker)
        model = ScriptedModel(mesh.addresses.service_url(DEMO_MODEL), http)
        await customer("alice", "finished").says("how much is my balance?")
        for text in ("I want to apply for a loan of 8000 EUR over 48 months", "a new kitchen"):
            await customer("alice", "held").says(text)
        for text in ("I want to apply for a loan of 20000 EUR over 48 months", "a new kitchen", "yes"):
            await customer("carol", "approval").says(text)
        await model.plays(
            scene("remind me", TO_BANK, agent="Triage"),
            scene("remind me", REMINDER, says("Done."), agent="Bank") | {"steps_from": "hand_off"},
        )
        await customer("alice", "timer").says("remind me")
        await model.follows_rules()
        await model.fails({"kind": "http_429", "times": 1, "contains": "gambling", "retry_after_s": RETRY_AFTER_S})
        text = "how much did I spend on gambling last month?"
        async with MeshClient(mesh.addresses.ingress_url, speaker=mesh.speaker) as client:
            await client.submit("in-flight", "alice", text, IN_FLIGHT_KEY)
        await asyncio.sleep(RETRY_AFTER_S / 5)


def pack(data: Path, to: Path) -> None:
    """Pack Restate's data without its log files."""
    with tarfile.open(to, "w:xz") as archive:
        archive.add(data, "restate", filter=lambda entry: None if Path(entry.name).name.startswith("LOG") else entry)


def main(to: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="switchboard-record-") as folder:
        asyncio.run(record(Path(folder)))
        pack(Path(folder) / "restate", to)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
