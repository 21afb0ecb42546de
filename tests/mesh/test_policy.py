"""POLICY=log on a mesh that always replays: rule violations pass and are counted once; impossible calls still fail."""

from decimal import Decimal
from pathlib import Path

from tests.laboratory import SOON, open_laboratory
from tests.mesh.money import DONE, Teller, transfer_to


async def test_log_policy_counts_violations_and_refuses_only_the_impossible(tmp_path: Path) -> None:
    async with open_laboratory(tmp_path, replays=True, environment={**SOON, "POLICY": "log"}) as laboratory:
        teller = Teller(laboratory)
        carol, _ = await teller.request_call("carol", transfer_to("bob", "5000.01"))
        assert (await carol.says("yes")).text == DONE
        assert await teller.net_movement_of("bob") == Decimal("5000.01")
        carol, _ = await teller.request_call("carol", transfer_to("bob", "4500.00"))
        await carol.says("yes")
        assert "There is not enough money" in (await teller.last_result(carol))["refused"]
        async with laboratory.http.get(f"{laboratory.mesh.addresses.service_url('tools')}/metrics") as response:
            counted = [line for line in (await response.text()).splitlines() if "policy_decisions_total{" in line]
        assert 'switchboard_policy_decisions_total{decision="let_pass",rule="T1"} 1.0' in counted
        log = laboratory.mesh.log("tools").read_text()
        assert log.count("policy T1: transfer is let_pass: ") == 1
