"""Texts from people, models and tools never appear in logs, spans or metrics, whatever path they take."""

from pathlib import Path
from uuid import uuid4

from switchboard.local.mesh import DEMO_MODEL
from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory, open_laboratory
from tests.traces.observatory import Observed, open_observatory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

# Paths of texts: from customers, from models, to and from tools, and in errors of each.
PATHS = "message argument result reply reason unknown_tool broken invented_field notice held retried".split()


def secret() -> str:
    return f"geheim-{uuid4().hex}"


async def logs(laboratory: Laboratory) -> str:
    """Return the logs of all processes of the mesh and of Restate. The demo model stands for an external system."""
    mesh = laboratory.mesh
    processes = [mesh.restate, *mesh.services.values(), laboratory.probe_agent, laboratory.probe_tools]
    written: list[Path] = [process.log for process in processes if process.name != DEMO_MODEL]
    return "\n".join(path.read_text() for path in written)


async def metrics(laboratory: Laboratory) -> str:
    mesh = laboratory.mesh
    ports = [process.port for name, process in mesh.services.items() if name != DEMO_MODEL]
    pages = []
    for port in (*ports, laboratory.probe_agent.port, laboratory.probe_tools.port):
        async with laboratory.http.get(f"http://127.0.0.1:{port}/metrics") as response:
            pages.append(await response.text())
    return "\n".join(pages)


async def test_content_never_appears_in_logs_spans_or_metrics(observed: Observed) -> None:
    laboratory = observed.laboratory
    marks = {name: secret() for name in PATHS}
    await laboratory.model.plays(
        scene(
            marks["message"],
            calls(("handoff_to_Probe", {"reason": marks["reason"]})),
            calls(
                ("wait", {"name": marks["argument"]}),
                ("refuse", {}),
                (f"no-{marks['unknown_tool']}", {}),
                ("wait", '{"name": "' + marks["broken"]),
                ("wait", {"name": "w", marks["invented_field"]: 1}),
                ("fail_at_first", {"name": marks["retried"]}),
                ("notify", {"to_session": f"s-{uuid4()}", "text": marks["notice"]}),
            ),
            {"fault": {"kind": "garbage"}, "then": says(marks["reply"])},
        ),
        scene("pay", calls(("pay", {"to": marks["held"], "amount": "5"}))),
    )
    customer = laboratory.customer()
    first = await customer.says(marks["message"])
    assert first.text == marks["reply"]
    question = await customer.says("pay")
    assert marks["held"] in question.text
    # A message from another customer and an invalid one: refused texts must not be quoted either.
    refused = secret()
    stranger = laboratory.customer("bob", session=customer.session)
    assert (await stranger.says(refused)).status == 403
    assert (await customer.says({"text": refused})).status == 400
    marks["refused"] = refused

    spans = ""
    for answer in (first, question):
        trace = await observed.observatory.trace(answer.body["trace_id"])
        spans += repr(trace)
    places = {"logs": await logs(laboratory), "metrics": await metrics(laboratory), "spans": spans}
    found = [(name, place) for name, mark in marks.items() for place, text in places.items() if mark in text]
    assert found == []
    assert all(places.values())


async def test_customer_id_never_appears_in_spans(observed: Observed) -> None:
    """Restate's own spans name invocations by object key, and our object keys are customer ids."""
    customer_id = secret()
    hand_over = calls(("handoff_to_Bank", {"reason": "an account"}))
    await observed.laboratory.model.plays(scene("balance", hand_over, calls(("get_balance", {})), says("nothing")))
    answer = await observed.laboratory.customer(customer_id).says("balance")
    trace = await observed.observatory.trace(answer.body["trace_id"])
    assert customer_id not in repr(trace)
    targets = {span.tags.get("restate.invocation.target") for span in trace.spans if span.service == "Restate"}
    assert {"Accounts/{key}/get_balance", "Bank/take_turn"} <= targets


async def test_content_appears_when_full_content_is_enabled(tmp_path: Path) -> None:
    """Shows that the check above can fail: with full content, the same places contain the texts."""
    argument, reply = secret(), secret()
    async with open_observatory(tmp_path / "observatory") as observatory:
        environment = {**observatory.environment, "TELEMETRY_CONTENT": "full"}
        restate = observatory.restate_environment
        async with open_laboratory(tmp_path / "mesh", False, environment, restate) as laboratory:
            steps = (TO_PROBE, calls(("wait", {"name": argument})), {"fault": {"kind": "garbage"}, "then": says(reply)})
            await laboratory.model.plays(scene("go", *steps))
            answer = await laboratory.customer().says("go")
            trace = repr(await observatory.trace(answer.body["trace_id"]))
            assert argument in trace
            assert reply in trace
            assert "is not a response" in await logs(laboratory)
