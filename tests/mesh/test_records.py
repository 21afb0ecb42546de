"""Policy decisions in the journal and metrics in each mode, and the records that staff see."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from switchboard.testing import JSON
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import booking, call_tool, call_with_consent, content_of, days_from_today, wait_until_idle

FORBIDDEN = ("cancel_reservation", {"reservation_id": "GH6034"})
"""Rule X3 forbids this: basic economy, booked a week ago, not insured."""


@asynccontextmanager
async def tools_with(laboratory: Laboratory, policy: str) -> AsyncIterator[None]:
    """Restart the tools with another policy mode until the end of the block."""
    tools = laboratory.mesh.services["tools"]
    environment = tools.environment
    await wait_until_idle(laboratory)
    await tools.stop()
    tools.environment = {**environment, "POLICY": policy}
    await tools.start()
    try:
        yield
    finally:
        await tools.stop()
        tools.environment = environment
        await tools.start()


async def count_decisions(laboratory: Laboratory, rule: str, decision: str) -> float:
    """Return the tools' metric for such decisions."""
    async with laboratory.http.get(f"{laboratory.mesh.addresses.service_url('tools')}/metrics") as response:
        text = await response.text()
    labels = f'decision="{decision}",rule="{rule}"'
    found = re.search(rf"^switchboard_policy_decisions_total{{{labels}}} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


async def journaled_decisions(laboratory: Laboratory) -> list[JSON]:
    sql = "SELECT id, name, entry_type FROM sys_journal WHERE name LIKE 'policy %'"
    rows: list[JSON] = await laboratory.query(sql)
    return rows


async def test_refusal_is_counted_once_and_names_its_rule(laboratory: Laboratory) -> None:
    before = await count_decisions(laboratory, "X3", "refused"), await count_decisions(laboratory, "none", "allowed")
    refused = await call_with_consent(laboratory, "dave", FORBIDDEN)
    assert refused["content"].endswith("(rule X3)")
    day = days_from_today(30)
    made = booking("SB421", day, ("credit_card_7777", 181), destination="OSL")
    number = content_of(await call_with_consent(laboratory, "dave", made))["reservation_id"]
    content_of(await call_with_consent(laboratory, "dave", ("cancel_reservation", {"reservation_id": number})))
    after = await count_decisions(laboratory, "X3", "refused"), await count_decisions(laboratory, "none", "allowed")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 2)
    assert "policy may_cancel" in {row["name"] for row in await journaled_decisions(laboratory)}
    log = laboratory.mesh.log("tools").read_text()
    assert "policy X3: may_cancel of customer dave is refused: " in log


@pytest.mark.parametrize(
    ("policy", "decision", "rule", "total"), [("off", "allowed", "none", 4), ("log", "let_pass", "L1", 5)]
)
async def test_unenforced_policy_allows_the_call_and_counts_it(
    laboratory: Laboratory, policy: str, decision: str, rule: str, total: int
) -> None:
    """The call asks for more bags than are free and pays for none of them."""
    bags: JSON = {"reservation_id": "JK4410", "nonfree_baggages": 0, "payment_id": "credit_card_5454"}
    async with tools_with(laboratory, policy):
        content_of(
            await call_with_consent(
                laboratory, "erin", ("update_reservation_baggages", {**bags, "total_baggages": total})
            )
        )
        assert await count_decisions(laboratory, rule, decision) == 1
        impossible = booking("SB245", days_from_today(31), ("gift_card_1207", 289.4))
        assert not (await call_with_consent(laboratory, "erin", impossible))["ok"]
    refused = await call_with_consent(
        laboratory, "erin", ("update_reservation_baggages", {**bags, "total_baggages": 6})
    )
    assert refused["content"].endswith("(rule L1)")


async def test_staff_can_dump_changed_records_and_agents_cannot(laboratory: Laboratory) -> None:
    day = days_from_today(32)
    made = booking("SB310", day, ("credit_card_1005", 143), destination="FCO")
    number = content_of(await call_with_consent(laboratory, "carol", made))["reservation_id"]
    changed = (await laboratory.staff().calls("AirlineRecords", "dump", changed_only=True)).body
    assert number in changed["users"]["carol"]["reservations"]
    assert changed["reservations"][number]["payment_history"] == [{"payment_id": "credit_card_1005", "amount": 143}]
    assert changed["flights"]["SB310"]["dates"][day.isoformat()]["available_seats"]["economy"] == 59
    everything = (await laboratory.staff().calls("AirlineRecords", "dump")).body
    assert everything["users"].keys() >= {"alice", "bob", "carol", "dave", "erin"}
    assert everything["reservations"].keys() > changed["reservations"].keys()
    refused = await call_tool(laboratory, "carol", ("dump", {}))
    assert refused["content"].startswith("There is no tool 'dump'.")
    content_of(await call_with_consent(laboratory, "carol", ("cancel_reservation", {"reservation_id": number})))
