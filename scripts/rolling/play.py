"""Rolls the bank agent forward and back on a mesh of this machine, under load, while turns and people wait."""

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
from switchboard.cli.approvals import decide, pending_approvals
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import Process, free_ports, wait_until
from switchboard.testing import Answer, Customer

WITHIN = timedelta(seconds=60)
DRAIN_DELAY = timedelta(seconds=1)
"""Between two looks that find nothing: an invocation may have chosen its version just before it is written down."""

TURNS_SEEN_MIN = 5
"""So many turns of a version are waited for before the next step."""

LONG = "which loans do I have?"
APPLY = ("I want to apply for a loan of 8000 EUR over 48 months", "a new kitchen")
BANK = "services.bank"
NEXT_BANK = "scripts.rolling.next_bank"


@dataclass
class Report:
    """What came of it. `versions` names deployments; `served` counts turns of the bank by these names."""

    versions: dict[str, str] = field(default_factory=dict)
    served: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    long_turn: str = ""
    confirmed: str = ""
    told: str = ""


class Play:
    """One roll forward and back. `say` is given a line for each thing that happened."""

    def __init__(self, mesh: Mesh, http: aiohttp.ClientSession, say: Callable[[str], None]) -> None:
        self.mesh = mesh
        self.http = http
        self.say = say
        self.deployments = Deployments(mesh.admin, http)
        self.report = Report()
        self.running: dict[str, Process] = {}

    async def run(self, sessions: int) -> Report:
        ingress = self.mesh.addresses.ingress_url
        try:
            async with self.slow_loans() as gate:
                first = await self.deployments.serving("Bank")
                self.report.versions[first] = "v1"
                self.running[first] = self.mesh.services["bank"]
                customers = [Customer(ingress, self.http) for _ in range(sessions)]
                async with under_load(customers) as load:
                    await self.forward_and_back(first, gate)
                self.tell(load)
            self.report.served = await self.turns()
        finally:
            for process in self.running.values():
                await process.stop()
        return self.report

    async def forward_and_back(self, first: str, gate: Path) -> None:
        ingress = self.mesh.addresses.ingress_url
        await self.seen("v1")
        asker, applicant = Customer(ingress, self.http), Customer(ingress, self.http)
        borrower = Customer(ingress, self.http, "bob")
        asked = [good(await borrower.says(text)) for text in APPLY][-1]
        for text in (*APPLY, "yes"):
            good(await applicant.says(text))
        await self.until(self.staff_are_asked, "staff were not asked")
        # The application's own checks have looked at the loans by now.
        await asyncio.to_thread(gate.touch)
        long = asyncio.create_task(asker.says(LONG))
        await self.until(self.loans_are_looked_up, "the tool did not start")
        self.say("v1: a turn waits for a tool, a customer for their own yes, an application for staff")

        second = await self.roll("v2", NEXT_BANK)
        await self.refused(first)
        await asyncio.to_thread(gate.unlink)
        answer = good(await long)
        self.report.long_turn = await self.version_of(asker.session)
        self.say(f"the turn that waited was finished by {self.report.long_turn}: {answer.text}")
        await self.retire(first)

        assert asked.body["confirmation"], asked
        self.report.confirmed = good(await borrower.says("yes")).text
        self.say(f"yes to the question that v1 asked: {self.report.confirmed}")
        self.say(await self.staff_approve(applicant))

        await self.roll("v1 again", BANK)
        await self.retire(second)

    # --- Steps --------------------------------------------------------------------------------------------------------

    async def roll(self, name: str, module: str) -> str:
        """Start a version and have new invocations go to it; its deployment, after some turns of it."""
        (port,) = free_ports(1)
        process = self.mesh.service(name.replace(" ", "-"), port, module=module)
        # Ready first, then registered: Restate calls a new version at once.
        await process.start()
        deployment = await self.deployments.register(f"http://127.0.0.1:{port}")
        self.report.versions[deployment] = name
        self.running[deployment] = process
        self.say(f"{name} is registered ({deployment}); new turns go there")
        await self.seen(name)
        return deployment

    async def refused(self, deployment: str) -> None:
        try:
            await self.deployments.remove(deployment)
        except StillNeeded as reason:
            self.report.refusals.append(str(reason))
            self.say(f"{self.report.versions[deployment]} is not removed: {reason}")

    async def retire(self, deployment: str) -> None:
        """Wait until nothing is under way at a version, take it out of the registry, then end it."""

        async def drained() -> bool:
            if await self.deployments.unfinished(deployment):
                return False
            await asyncio.sleep(DRAIN_DELAY.total_seconds())
            return not await self.deployments.unfinished(deployment)

        await self.until(drained, f"{deployment} was not drained")
        await self.deployments.remove(deployment)
        await self.running.pop(deployment).stop()
        self.say(f"{self.report.versions[deployment]} is drained, removed and stopped")

    async def staff_approve(self, customer: Customer) -> str:
        """Staff decide on the first application that waits; what its customer was told, unasked."""
        ingress = self.mesh.addresses.ingress_url
        for item in (await pending_approvals(ingress)).waiting:
            await decide(ingress, "approve", item.approval_id, "Erika", "Enough income.")

        async def told() -> bool:
            notices = [message["text"] for message in await customer.messages() if message["kind"] == "notice"]
            self.report.told = next((text for text in notices if text.startswith("Your loan application")), "")
            return bool(self.report.told)

        await self.until(told, "the customer was not told")
        return f"staff approved; the customer was told: {self.report.told}"

    def tell(self, load: Load) -> None:
        self.report.answered, self.report.failures = load.answered, load.failures
        self.say(f"{load.answered} messages answered under way, {len(load.failures)} failed")

    # --- What Restate knows -------------------------------------------------------------------------------------------

    async def turns(self) -> dict[str, int]:
        """The bank's turns by version."""
        rows = await self.mesh.admin.query(
            "SELECT pinned_deployment_id AS deployment, count(*) AS turns FROM sys_invocation "
            "WHERE target_service_name = 'Bank' AND pinned_deployment_id IS NOT NULL GROUP BY pinned_deployment_id"
        )
        turns = {row["deployment"]: int(row["turns"]) for row in rows}
        return {name: turns[deployment] for deployment, name in self.report.versions.items() if deployment in turns}

    async def version_of(self, session: str) -> str:
        """Who served the bank's turn of a session."""
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
        return bool((await pending_approvals(self.mesh.addresses.ingress_url)).waiting)

    async def seen(self, version: str) -> None:
        async def enough() -> bool:
            return (await self.turns()).get(version, 0) >= TURNS_SEEN_MIN

        await self.until(enough, f"{version} got no turns")

    async def until(self, holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        await wait_until(holds, WITHIN, otherwise)

    @asynccontextmanager
    async def slow_loans(self) -> AsyncIterator[Path]:
        """Loans that are not told while the file is there. They are no part of what is rolled."""
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


class Lost(Exception):
    """A message of the play itself was not answered; the message has what came instead."""


def good(answer: Answer) -> Answer:
    if answer.status != 200 or answer.body.get("failed"):
        raise Lost(f"HTTP {answer.status}: {answer.body}")
    return answer


async def play(folder: Path, sessions: int, say: Callable[[str], None]) -> Report:
    """Everything, on a mesh of its own."""
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        Mesh(reference(), folder, Addresses.free(reference().definition)) as mesh,
        aiohttp.ClientSession(connector=connector) as http,
    ):
        return await Play(mesh, http, say).run(sessions)
