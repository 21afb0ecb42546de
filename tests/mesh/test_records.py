"""The policy's decisions as they are journaled and counted, in each mode; and the records as staff see them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from switchboard.testing import JSON
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import ahead, at_rest, booking, does, reads, told

FORBIDDEN = ("cancel_reservation", {"reservation_id": "GH6034"})
"""Basic economy, booked a week ago, not insured: rule X3."""


@asynccontextmanager
async def tools_with(laboratory: Laboratory, policy: str) -> AsyncIterator[None]:
    """The tools run in another mode meanwhile."""
    tools = laboratory.mesh.services["tools"]
    environment = tools.environment
    await at_rest(laboratory)
    await tools.stop()
    tools.environment = {**environment, "POLICY": policy}
    await tools.start()
    try:
        yield
    finally:
        await tools.stop()
        tools.environment = environment
        await tools.start()


async def counted(laboratory: Laboratory, rule: str, decision: str) -> float:
    """What the tools' metrics say of such decisions."""
    async with laboratory.http.get(f"{laboratory.mesh.addresses.service_url('tools')}/metrics") as response:
        text = await response.text()
    labels = f'decision="{decision}",rule="{rule}"'
    found = re.search(rf"^switchboard_policy_decisions_total{{{labels}}} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


async def journaled(laboratory: Laboratory) -> list[JSON]:
    sql = "SELECT id, name, entry_type FROM sys_journal WHERE name LIKE 'policy %'"
    rows: list[JSON] = await laboratory.mesh.admin.query(sql)
    return rows


async def test_refusal_is_counted_once_and_names_its_rule(laboratory: Laboratory) -> None:
    before = await counted(laboratory, "X3", "refused"), await counted(laboratory, "none", "allowed")
    refused = await does(laboratory, "dave", FORBIDDEN)
    assert refused["content"].endswith("(rule X3)")
    day = ahead(30)
    made = booking("SB421", day, ("credit_card_7777", 181), destination="OSL")
    number = told(await does(laboratory, "dave", made))["reservation_id"]
    told(await does(laboratory, "dave", ("cancel_reservation", {"reservation_id": number})))
    after = await counted(laboratory, "X3", "refused"), await counted(laboratory, "none", "allowed")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 2)
    assert "policy may_cancel" in {row["name"] for row in await journaled(laboratory)}
    log = laboratory.mesh.log("tools").read_text()
    assert "policy X3: may_cancel of customer dave is refused: " in log


@pytest.mark.parametrize(
    ("policy", "decision", "rule", "total"), [("off", "allowed", "none", 4), ("log", "let_pass", "L1", 5)]
)
async def test_unenforced_policy_allows_the_call_and_counts_it(
    laboratory: Laboratory, policy: str, decision: str, rule: str, total: int
) -> None:
    """More bags than are free, and none of them paid."""
    bags: JSON = {"reservation_id": "JK4410", "nonfree_baggages": 0, "payment_id": "credit_card_5454"}
    async with tools_with(laboratory, policy):
        told(await does(laboratory, "erin", ("update_reservation_baggages", {**bags, "total_baggages": total})))
        assert await counted(laboratory, rule, decision) == 1
        impossible = booking("SB245", ahead(31), ("gift_card_1207", 289.4))
        assert not (await does(laboratory, "erin", impossible))["ok"]
    refused = await does(laboratory, "erin", ("update_reservation_baggages", {**bags, "total_baggages": 6}))
    assert refused["content"].endswith("(rule L1)")


async def test_staff_can_dump_changed_records_and_agents_cannot(laboratory: Laboratory) -> None:
    day = ahead(32)
    made = booking("SB310", day, ("credit_card_1005", 143), destination="FCO")
    number = told(await does(laboratory, "carol", made))["reservation_id"]
    url = f"{laboratory.mesh.addresses.ingress_url}/AirlineRecords/dump"
    async with laboratory.http.post(url, json={"changed_only": True}) as response:
        changed = await response.json()
    assert number in changed["users"]["carol"]["reservations"]
    assert changed["reservations"][number]["payment_history"] == [{"payment_id": "credit_card_1005", "amount": 143}]
    assert changed["flights"]["SB310"]["dates"][day.isoformat()]["available_seats"]["economy"] == 59
    async with laboratory.http.post(url, json={}) as response:
        everything = await response.json()
    assert everything["users"].keys() >= {"alice", "bob", "carol", "dave", "erin"}
    assert everything["reservations"].keys() > changed["reservations"].keys()
    refused = await reads(laboratory, "carol", ("dump", {}))
    assert refused["content"].startswith("There is no tool 'dump'.")
    told(await does(laboratory, "carol", ("cancel_reservation", {"reservation_id": number})))
