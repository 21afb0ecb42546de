"""This version continues conversations of earlier versions, with their state, journals and timers.

tests/mesh/recorded/ contains Restate data of meshes that were stopped in the middle of conversations.
scripts/record_conversations.py records it.
"""

import asyncio
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from scripts.record_conversations import IN_FLIGHT_KEY, LIMITS, PORTS
from services.project import reference
from switchboard.local.mesh import DEMO_MODEL, Mesh
from switchboard.local.process import wait_until
from switchboard.local.restate_server import AdminError, find_binary
from switchboard.retry import retry
from switchboard.testing import JSON, Customer, ScriptedModel, Staff
from switchboard.testing.laboratory import QUERIES
from tests.laboratory import STARTS_WITHIN
from tests.parts import need

RECORDED = Path(__file__).with_name("recorded")
ARCHIVES = sorted(RECORDED.glob("conversations-*.tar.xz"))
CONTINUES_WITHIN_S = 180

pytestmark = pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))


class Continued:
    """A mesh that runs the current code on an earlier version's data."""

    def __init__(self, mesh: Mesh, http: aiohttp.ClientSession) -> None:
        self.mesh = mesh
        self.http = http
        self.model = ScriptedModel(mesh.addresses.service_url(DEMO_MODEL), http)

    def customer(self, customer_id: str, session: str) -> Customer:
        return Customer(self.mesh.addresses.ingress_url, self.http, customer_id, session, speaker=self.mesh.speaker)

    async def texts(self, customer_id: str, session: str) -> str:
        messages = await self.customer(customer_id, session).messages()
        return "\n".join(str(message.get("text", "")) for message in messages)

    async def wait_for_text(self, customer_id: str, session: str, words: str) -> None:
        async with asyncio.timeout(CONTINUES_WITHIN_S):
            while words not in await self.texts(customer_id, session):
                await asyncio.sleep(0.2)


@pytest.fixture
async def continued(archive: Path, tmp_path: Path) -> AsyncIterator[Continued]:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    async with Mesh(reference(), tmp_path, PORTS, environment=LIMITS) as mesh, aiohttp.ClientSession() as http:
        yield Continued(mesh, http)


async def test_conversations_of_an_earlier_version_continue(continued: Continued) -> None:
    assert ARCHIVES
    await check_finished_turn_is_remembered(continued)
    await check_turn_in_flight_completes(continued)
    await check_pending_question_accepts_a_yes(continued)
    await check_timer_fires(continued)
    await check_approval_can_be_decided(continued)
    stuck = "SELECT target, last_failure FROM sys_invocation WHERE status IN ('paused', 'backing-off')"

    async def none_is_stuck() -> bool:
        return await retry(lambda: continued.mesh.admin.query(stuck), QUERIES, (AdminError, aiohttp.ClientError)) == []

    # A call waits for its next attempt if its service started after Restate.
    await wait_until(none_is_stuck, STARTS_WITHIN, "invocations are paused, or fail again and again")


async def check_finished_turn_is_remembered(continued: Continued) -> None:
    alice = continued.customer("alice", "finished")
    assert "2,431.80 EUR" in await continued.texts("alice", "finished")
    answer = await alice.says("and what is my balance now?")
    assert (answer.status, "EUR in Checking" in answer.text) == (200, True), answer.text
    turns: list[JSON] = (await alice.asks("transcript", limit=50)).body["turns"]
    assert [turn["turn"] for turn in turns] == [1, 2]


async def check_turn_in_flight_completes(continued: Continued) -> None:
    """The turn was stopped between two attempts of a model call, in the middle of the agent's journal."""
    # The same message with the same idempotency key waits for the turn that was in flight.
    text = "how much did I spend on gambling last month?"
    answer = await continued.customer("alice", "in-flight").says(text, IN_FLIGHT_KEY)
    assert (answer.status, "190.50 EUR on gambling" in answer.text) == (200, True), answer.text


async def check_pending_question_accepts_a_yes(continued: Continued) -> None:
    answer = await continued.customer("alice", "held").says("yes")
    assert (answer.status, "was received: 48 monthly payments" in answer.text) == (200, True), answer.text


async def check_timer_fires(continued: Continued) -> None:
    await continued.wait_for_text("alice", "timer", "call the landlord")


async def check_approval_can_be_decided(continued: Continued) -> None:
    """Staff decide an application whose workflow the earlier version started."""
    staff = Staff(continued.mesh, continued.http, "sam")
    waiting = (await staff.calls("Approvals", "list")).body["waiting"]
    [application] = [each for each in waiting if each["customer_id"] == "carol"]
    decided = await staff.calls("Approvals", "approve", approval_id=application["approval_id"], why="good history")
    assert (decided.status, decided.body["decision"]["by"]) == (200, "sam"), decided.text
    await continued.wait_for_text("carol", "approval", "approved")
