"""Metrics and log lines are written once despite replays, by the process that did the work."""

import json
import re
from typing import Any
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from switchboard.local.process import Process
from switchboard.testing import JSON, calls, says, scene
from tests.laboratory import Laboratory
from tests.traces.observatory import Observed

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def counts(laboratory: Laboratory, process: Process) -> Counts:
    async with laboratory.http.get(f"http://127.0.0.1:{process.port}/metrics") as response:
        page = await response.text()
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


class Counted:
    """The increase of a process's metrics since this object was created."""

    def __init__(self, laboratory: Laboratory, process: Process, before: Counts) -> None:
        self.laboratory, self.process, self.before = laboratory, process, before

    @classmethod
    async def by(cls, laboratory: Laboratory, process: Process) -> "Counted":
        return cls(laboratory, process, await counts(laboratory, process))

    async def since(self, name: str, **labels: str) -> float:
        after = await counts(self.laboratory, self.process)
        wanted = set(labels.items())
        return sum(
            value - self.before.get(key, 0) for key, value in after.items() if key[0] == name and wanted <= set(key[1])
        )


async def play(observed: Observed, *steps: JSON, text: str = "go") -> Any:
    await observed.laboratory.model.plays(scene(text, TO_PROBE, *steps))
    customer = observed.laboratory.customer()
    answer = await customer.says(text)
    assert answer.status == 200, answer
    # Metrics are complete when the trace is.
    await observed.observatory.trace(answer.body["trace_id"])
    return customer


async def test_turn_is_counted_once(observed: Observed) -> None:
    laboratory = observed.laboratory
    agent = await Counted.by(laboratory, laboratory.probe_agent)
    tools = await Counted.by(laboratory, laboratory.probe_tools)
    session = await Counted.by(laboratory, laboratory.mesh.services["triage"])
    asked = calls(("wait", {"name": "w"}), ("refuse", {}), ("fail_at_first", {"name": str(uuid4())}))
    await play(observed, asked, {"fault": {"kind": "http_429", "retry_after_s": 0}, "then": says("done")})

    assert await agent.since("switchboard_turns_total", agent="Probe") == 1
    assert await agent.since("switchboard_turns_total", agent="Probe", outcome="reply") == 1
    assert await agent.since("switchboard_turn_duration_seconds_count", agent="Probe") == 1
    assert await agent.since("switchboard_steps_total", agent="Probe") == 2
    assert await agent.since("switchboard_model_attempts_total", model="demo", outcome="ok") == 2
    assert await agent.since("switchboard_model_attempts_total", model="demo", outcome="unavailable") == 1
    assert await agent.since("gen_ai_client_operation_duration_seconds_count", error_type="") == 2
    assert await agent.since("gen_ai_client_operation_duration_seconds_count", error_type="429") == 1
    assert await agent.since("gen_ai_client_token_usage_total", gen_ai_token_type="input") > 0

    for tool, outcome in (("wait", "ok"), ("refuse", "refused"), ("fail_at_first", "ok")):
        assert await tools.since("switchboard_tool_calls_total", tool=tool) == 1, tool
        assert await tools.since("switchboard_tool_calls_total", tool=tool, outcome=outcome) == 1, tool
        assert await tools.since("switchboard_tool_duration_seconds_count", tool=tool) == 1, tool

    assert await session.since("switchboard_messages_total") == 1
    assert await session.since("switchboard_messages_total", outcome="reply") == 1
    assert await session.since("switchboard_hops_total", from_agent="Triage", to_agent="Probe") == 1
    assert await session.since("switchboard_turns_total", agent="Triage", outcome="hand_off") == 1


async def test_questions_and_their_outcomes_are_counted(observed: Observed) -> None:
    laboratory = observed.laboratory
    session = await Counted.by(laboratory, laboratory.mesh.services["triage"])
    pay = calls(("pay", {"to": "Bob", "amount": "5"}))
    for ending in ("yes", "no", "something else"):
        customer = await play(observed, pay)
        await laboratory.model.plays(scene(ending, says("all right"), says("all right")))
        answer = await customer.says(ending)
        await observed.observatory.trace(answer.body["trace_id"])
    ends = {"asked": 3, "confirmed": 1, "declined": 1, "dropped": 1}
    assert {end: await session.since("switchboard_confirmations_total", outcome=end) for end in ends} == ends
    assert await session.since("switchboard_confirmations_total") == 6
    assert await session.since("switchboard_confirmation_wait_seconds_count") == 2


async def test_log_line_is_written_once_with_its_trace_id(observed: Observed) -> None:
    laboratory = observed.laboratory
    customer = await play(observed, says("done"))
    stranger = laboratory.customer("bob", session=customer.session)
    assert (await stranger.says("let me in")).status == 403
    log = laboratory.mesh.services["triage"].log.read_text()
    lines = [
        json.loads(line)
        for line in log.rpartition("\n")[0].splitlines()
        if line.startswith("{") and customer.session in line
    ]
    (line,) = [line for line in lines if "refused" in line["message"]]
    assert line["level"] == "WARNING"
    assert line["session_id"] == customer.session
    assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
    assert re.fullmatch("[0-9a-f]{16}", line["span_id"])
    rows = await laboratory.query(f"SELECT target FROM sys_invocation WHERE id = '{line['invocation_id']}'")
    assert [row["target"] for row in rows] == [f"Session/{customer.session}/send"]
