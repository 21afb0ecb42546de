"""Rolling a version of the bank agent out and back on a real mesh, under load."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from scripts.rolling.deployments import Deployments, StillNeeded
from scripts.rolling.load import Load
from scripts.rolling.next_bank import ADDED_INSTRUCTION
from scripts.rolling.play import NEXT_BANK, TURNS_SEEN_MIN, play
from switchboard.local.process import Process, free_ports
from switchboard.local.restate_server import AdminError, find_binary
from switchboard.testing import Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.parts import PROJECT, need

SESSIONS = 3


async def test_no_message_fails_during_rollout_and_rollback(tmp_path: Path) -> None:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    log: list[str] = []
    report = await play(tmp_path, SESSIONS, log.append)
    assert report.failures == []
    assert report.answered > 3 * TURNS_SEEN_MIN
    # The version that started the pending turn also finished it.
    assert report.long_turn == "v1"
    (refusal,) = report.refusals
    assert "1 unfinished invocations: Bank/take_turn" in refusal
    assert set(report.served) == {"v1", "v2", "v1 again"}
    assert min(report.served.values()) >= TURNS_SEEN_MIN
    # The pending consent and approval continued after the version change.
    assert "was received: 48 monthly payments" in report.confirmed
    assert "was approved" in report.notice
    assert "v1 is drained, removed and stopped" in log
    assert "v2 is drained, removed and stopped" in log


def test_load_counts_errors_apologies_and_wrong_agents_as_failures() -> None:
    load, customer = Load(), Customer("http://nowhere", None)  # type: ignore[arg-type]  # nothing is sent
    good = {"agent": "Bank", "failed": False}
    for answer in (Answer(500, good), Answer(200, {**good, "failed": True}), Answer(200, {**good, "agent": "Triage"})):
        load.count(customer, answer)
    assert (load.answered, len(load.failures)) == (0, 3)
    load.count(customer, Answer(200, good))
    assert load.answered == 1


@asynccontextmanager
async def next_bank(laboratory: Laboratory) -> AsyncIterator[Process]:
    (port,) = free_ports(1)
    process = laboratory.mesh.service("next-bank", port, module=NEXT_BANK)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


async def test_known_address_gets_new_invocations_only_if_registered_again(
    laboratory: Laboratory,
) -> None:
    deployments = Deployments(laboratory.mesh.admin, laboratory.http)
    old, url = await deployments.serving("Bank"), laboratory.mesh.addresses.service_url("bank")
    hand_off = calls(("handoff_to_Bank", {"reason": "money"}))
    await laboratory.model.plays(scene("what now?", hand_off, says("this")))
    async with next_bank(laboratory) as process:
        new = await deployments.register(f"http://127.0.0.1:{process.port}")
        try:
            assert await deployments.serving("Bank") == new != old
            with pytest.raises(StillNeeded, match="still gets the new invocations of Bank"):
                await deployments.remove(new)
            customer = laboratory.customer()
            assert (await customer.says("what now?")).body["agent"] == "Bank"
            asked = await laboratory.model.requests(customer.session)
            assert ADDED_INSTRUCTION.strip() in json.dumps(asked[-1]["body"])
            # A rollback that only registers the old address changes nothing.
            assert await deployments.register(url) == old
            assert await deployments.serving("Bank") == new
        finally:
            assert await deployments.register(url, again=True) == old
        assert await deployments.serving("Bank") == old
        await deployments.remove(new)
    with pytest.raises(AdminError, match="rejected the deployment"):
        await deployments.register(f"http://127.0.0.1:{free_ports(1)[0]}")
    assert await deployments.serving("Bank") == old


def test_documentation_shows_the_scripts_output() -> None:
    page = (PROJECT / "docs" / "operate" / "upgrade.md").read_text()
    for line in ("is drained, removed and stopped", "the pending turn was finished by v1", "0 failed"):
        assert line in page
