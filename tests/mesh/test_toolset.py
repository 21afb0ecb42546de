"""Tools of a `Toolset` on a real mesh: reads, writes after a yes, verification, and refusal of wrong arguments."""

import json
from typing import Any

from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "insurance"}))
DONE = says("Done.")
POLICY = ("get_policy", {"number": "P-1"})
DAMAGE = ("report_damage", {"amount": "120.50", "note": "a window"})
ALICE = {"date_of_birth": "1988-04-17", "email": "alice@example.com"}


async def result(laboratory: Laboratory, customer: Customer, call: tuple[str, Any]) -> JSON:
    """Return the result of a call by the model, after the customer's yes if it asks for one."""
    at_probe = (await customer.asks("status")).body.get("active_agent") == "Probe"
    await laboratory.model.plays(
        scene("go", *(() if at_probe else (TO_PROBE,)), calls(call), DONE), scene("yes", says("unsaid"), DONE)
    )
    answer = await customer.says("go")
    assert answer.status == 200, answer
    if answer.body["confirmation"]:
        await customer.says("yes")
    found: JSON = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    return found


async def test_read_tool_returns_the_customers_own_record(laboratory: Laboratory) -> None:
    for customer_id in ("alice", "bob"):
        found = await result(laboratory, laboratory.customer(customer_id), POLICY)
        assert (found["ok"], json.loads(found["content"])["holder"]) == (True, customer_id), found


async def test_toolset_tools_run_in_parallel_and_keep_the_models_order(laboratory: Laboratory) -> None:
    customer = laboratory.customer()
    missing = ("get_policy", {"number": "P-9"})
    await laboratory.model.plays(scene("both", TO_PROBE, calls(POLICY, missing, ("policy_kinds", {})), DONE))
    await customer.says("both")
    results = [message for message in await customer.messages() if message["kind"] == "tool"][1:]
    assert [one["ok"] for one in results] == [True, False, True]
    assert [one["content"] for one in results[1:]] == [
        "There is no policy P-9 among yours.",
        '"Household and travel."',
    ]


async def test_write_runs_once_and_only_after_the_customers_yes(laboratory: Laboratory) -> None:
    customer = laboratory.customer("carol")
    await laboratory.model.plays(scene("damage", TO_PROBE, calls(DAMAGE)), scene("yes", says("unsaid"), DONE))
    asked = await customer.says("damage")
    assert "Report damage of 120.50 EUR?" in asked.text
    before = json.loads((await result(laboratory, laboratory.customer("carol"), POLICY))["content"])
    assert before["reports"] == []
    await customer.says("yes")
    receipt = json.loads([one for one in await customer.messages() if one["kind"] == "tool"][-1]["content"])
    assert (receipt["amount"], receipt["reports_total"]) == ("120.50", 1)
    after = json.loads((await result(laboratory, laboratory.customer("carol"), POLICY))["content"])
    assert after["reports"] == [f"{customer.session}: 120.50 EUR a window"]


async def test_unverified_customer_is_refused_until_two_facts_match(laboratory: Laboratory) -> None:
    guest = laboratory.customer("alice", signed_in=False)
    for call in (POLICY, DAMAGE):
        refused = await result(laboratory, guest, call)
        assert (refused["ok"], refused["content"].startswith("You are not signed in.")) == (False, True), refused
    assert (await result(laboratory, guest, ("policy_kinds", {})))["ok"]
    assert (await result(laboratory, guest, ("verify_identity", ALICE)))["ok"]
    for call in (POLICY, DAMAGE):
        allowed = await result(laboratory, guest, call)
        assert allowed["ok"], allowed


async def test_wrong_arguments_are_reported_to_the_model_and_change_nothing(laboratory: Laboratory) -> None:
    customer = laboratory.customer("dave")
    for call, said in (
        (("get_policy", {"number": 1}), "The arguments do not fit: number: Input should be a valid string"),
        (("get_policy", {"number": "X"}), "The arguments do not fit: number: String should match pattern"),
        (("get_policy", {}), "The arguments do not fit: number: Field required"),
        (
            ("get_policy", {"number": "P-1", "customer_id": "bob"}),
            "The arguments do not fit: customer_id: Extra",
        ),
        (("get_policy", {"number": "P-1", "signed_in": True}), "signed_in cannot be given"),
        (("report_damage", {"amount": "much"}), "The arguments do not fit: amount: Input should be a valid decimal"),
        (("report_damage", {"amount": "-1"}), "The arguments do not fit: amount: Input should be greater than 0"),
        (("report_damage", {"amount": "1", "session_id": "s"}), "session_id cannot be given"),
    ):
        refused = await result(laboratory, customer, call)
        assert not refused["ok"]
        assert refused["content"].startswith(said), refused
    assert json.loads((await result(laboratory, customer, POLICY))["content"])["reports"] == []
