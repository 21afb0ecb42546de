"""Roll the bank agent forward and back on a local mesh, under load and with a turn, consent and approval pending."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from scripts.rolling.deployments import Deployments, StillNeeded
from scripts.rolling.load import Load, under_load
from services.project import reference
from switchboard.builtin.approvals.contract import APPROVALS
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import Process, free_ports, wait_until
from switchboard.testing import JSON, Answer, Customer, Staff
from switchboard.testing.laboratory import HIGH_LIMITS

STEP_TIMEOUT = timedelta(seconds=60)
DRAIN_DELAY = timedelta(seconds=1)
"""Pause between two checks that find no invocations: a new one may have chosen its version but not be stored yet."""

TURNS_SEEN_MIN = 5
"""Number of turns of a version to wait for before the next step."""

LONG_QUESTION = "which loans do I have?"
APPLY = ("I want to apply for a loan of 8000 EUR over 48 months", "a new kitchen")
BANK = "services.bank"
NEXT_BANK = "scripts.rolling.next_bank"


@dataclass
class Report:
    """The results. `versions` names deployments; `served` counts the bank's turns by these names."""

    versions: dict[str, str] = field(default_factory=dict)
    served: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    long_turn: str = ""
    confirmed: str = ""
    notice: str = ""


class Play:
    """One roll forward and back. `log` gets a line for each event."""

    def __init__(self, mesh: Mesh, http: aiohttp.ClientSession, log: Callable[[str], None]) -> None:
        self.mesh = mesh
        self.http = http
        self.log = log
        self.deployments = Deployments(mesh.admin, http)
        self.report = Report()
        self.running: dict[str, Process] = {}

    def customer(self, customer_id: str = "alice") -> Customer:
        return Customer(self.mesh.addresses.ingress_url, self.http, customer_id, speaker=self.mesh.speaker)

    async def run(self, sessions: int) -> Report:
        try:
            async with self.slow_loans() as gate:
                first = await self.deployments.serving("Bank")
                self.report.versions[first] = "v1"
                self.running[first] = self.mesh.services["bank"]
                customers = [self.customer() for _ in range(sessions)]
                async with under_load(customers) as load:
                    await self.forward_and_back(first, gate)
                self.report_load(load)
            self.report.served = await self.turns()
        finally:
            for process in self.running.values():
                await process.stop()
        return self.report

    async def forward_and_back(self, first: str, gate: Path) -> None:
        await self.wait_for_turns("v1")
        asker, applicant, borrower = self.customer(), self.customer(), self.customer("bob")
        asked = [checked(await borrower.says(text)) for text in APPLY][-1]
        for text in (*APPLY, "yes"):
            checked(await applicant.says(text))
        await self.until(self.staff_are_asked, "no approval was requested")
        # By now the application's own checks have read the loans.
        await asyncio.to_thread(gate.touch)
        long = asyncio.create_task(asker.says(LONG_QUESTION))
        await self.until(self.loans_are_looked_up, "the tool did not start")
        self.log(
            "v1: pending are a turn (waiting for a tool), a customer's consent and an application (waiting for staff)"
        )

        second = await self.roll("v2", NEXT_BANK)
        await self.check_removal_is_refused(first)
        await asyncio.to_thread(gate.unlink)
        answer = checked(await long)
        self.report.long_turn = await self.version_of(asker.session)
        self.log(f"the pending turn was finished by {self.report.long_turn}: {answer.text}")
        await self.retire(first)

        assert asked.body["confirmation"], asked
        self.report.confirmed = checked(await borrower.says("yes")).text
        self.log(f"the customer said yes to the question of v1: {self.report.confirmed}")
        self.log(await self.staff_approve(applicant))

        await self.roll("v1 again", BANK)
        await self.retire(second)

    # --- Steps --------------------------------------------------------------------------------------------------------

    async def roll(self, name: str, module: str) -> str:
        """Start and register a version, wait for some of its turns, and return its deployment."""
        (port,) = free_ports(1)
        process = self.mesh.service(name.replace(" ", "-"), port, module=module)
        # Start it before registering it: Restate calls a new version immediately.
        await process.start()
        deployment = await self.deployments.register(f"http://127.0.0.1:{port}")
        self.report.versions[deployment] = name
        self.running[deployment] = process
        self.log(f"{name} is registered ({deployment}) and gets the new turns")
        await self.wait_for_turns(name)
        return deployment

    async def check_removal_is_refused(self, deployment: str) -> None:
        try:
            await self.deployments.remove(deployment)
        except StillNeeded as reason:
            self.report.refusals.append(str(reason))
            self.log(f"{self.report.versions[deployment]} cannot be removed yet: {reason}")

    async def retire(self, deployment: str) -> None:
        """Wait until a version has no unfinished invocations, remove it from the registry, and stop it."""

        async def drained() -> bool:
            if await self.deployments.unfinished(deployment):
                return False
            await asyncio.sleep(DRAIN_DELAY.total_seconds())
            return not await self.deployments.unfinished(deployment)

        await self.until(drained, f"{deployment} did not drain")
        await self.deployments.remove(deployment)
        await self.running.pop(deployment).stop()
        self.log(f"{self.report.versions[deployment]} is drained, removed and stopped")

    async def staff_approve(self, customer: Customer) -> str:
        """Approve the pending applications and return the notice that the customer gets."""
        staff = Staff(self.mesh, self.http, "erika")
        for item in await self.waiting():
            await staff.calls(APPROVALS, "approve", approval_id=item["approval_id"], why="Enough income.")

        async def notified() -> bool:
            notices = [message["text"] for message in await customer.messages() if message["kind"] == "notice"]
            self.report.notice = next((text for text in notices if text.startswith("Your loan application")), "")
            return bool(self.report.notice)

        await self.until(notified, "the customer got no notice")
        return f"staff approved, and the customer got the notice: {self.report.notice}"

    def report_load(self, load: Load) -> None:
        self.report.answered, self.report.failures = load.answered, load.failures
        self.log(f"{load.answered} messages answered during the rollout, {len(load.failures)} failed")

    # --- Queries to Restate -------------------------------------------------------------------------------------------

    async def turns(self) -> dict[str, int]:
        """Return the number of the bank's turns by version."""
        rows = await self.mesh.admin.query(
            "SELECT pinned_deployment_id AS deployment, count(*) AS turns FROM sys_invocation "
            "WHERE target_service_name = 'Bank' AND pinned_deployment_id IS NOT NULL GROUP BY pinned_deployment_id"
        )
        turns = {row["deployment"]: int(row["turns"]) for row in rows}
        return {name: turns[deployment] for deployment, name in self.report.versions.items() if deployment in turns}

    async def version_of(self, session: str) -> str:
        """Return the version that served the bank's turn of a session."""
        (row,) = await self.mesh.admin.query(
            "SELECT pinned_deployment_id AS deployment FROM sys_invocation "
            f"WHERE target_service_name = 'Bank' AND invoked_by_target = 'Session/{session}/send'"
        )
        return self.report.versions[row["deployment"]]

    async def loans_are_looked_up(self) -> bool:
        return bool(
            await self.mesh.admin.query(
                "SELECT id FROM sys_invocation WHERE target = 'Loans/alice/list_loans' AND status = 'running'"
            )
        )

    async def staff_are_asked(self) -> bool:
        return bool(await self.waiting())

    async def waiting(self) -> list[JSON]:
        """Return the requests that wait for approval."""
        answer = await Staff(self.mesh, self.http, "erika").calls(APPROVALS, "list")
        waiting: list[JSON] = answer.body["waiting"]
        return waiting

    async def wait_for_turns(self, version: str) -> None:
        async def enough() -> bool:
            return (await self.turns()).get(version, 0) >= TURNS_SEEN_MIN

        await self.until(enough, f"{version} got no turns")

    async def until(self, condition: Callable[[], Awaitable[bool]], error: str) -> None:
        await wait_until(condition, STEP_TIMEOUT, error)

    @asynccontextmanager
    async def slow_loans(self) -> AsyncIterator[Path]:
        """Run a loans service that blocks while the yielded file exists. It is not rolled out."""
        gate = self.mesh.folder / "gate"
        (port,) = free_ports(1)
        process = self.mesh.service("slow-loans", port, module="scripts.rolling.slow_loans")
        process.environment = {**process.environment, "GATE": str(gate)}
        await process.start()
        try:
            await self.deployments.register(f"http://127.0.0.1:{port}")
            yield gate
        finally:
            gate.unlink(missing_ok=True)
            await process.stop()


class MessageFailed(Exception):
    """A message of this script got no correct reply; the error contains what came instead."""


def checked(answer: Answer) -> Answer:
    if answer.status != 200 or answer.body.get("failed"):
        raise MessageFailed(f"HTTP {answer.status}: {answer.body}")
    return answer


async def play(folder: Path, sessions: int, log: Callable[[str], None]) -> Report:
    """Run all steps on a new mesh."""
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        Mesh(reference(), folder, Addresses.free(reference().definition), environment=HIGH_LIMITS) as mesh,
        aiohttp.ClientSession(connector=connector) as http,
    ):
        return await Play(mesh, http, log).run(sessions)
