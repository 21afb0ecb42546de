"""One trace per message, read back from a real Jaeger: the exact tree, each span once, also after kills."""

import asyncio
import json

from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.traces.observatory import RESTATE, Observed, Trace

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
JSON_BODY = {"content-type": "application/json"}


async def trace_of(observed: Observed, answer: Answer) -> Trace:
    """Return the trace of a message, and check that it has no defects."""
    assert answer.status == 200, answer
    trace = await observed.observatory.trace(answer.body["trace_id"])
    assert trace.faults() == []
    return trace


async def send_to_probe(observed: Observed, *steps: JSON) -> tuple[Customer, Trace]:
    """Send a message that triage hands off to the probe agent. Returns the customer and the trace."""
    await observed.laboratory.model.plays(scene("go", TO_PROBE, *steps))
    customer = observed.laboratory.customer()
    return customer, await trace_of(observed, await customer.says("go"))


async def test_plain_turn_has_one_span_per_invocation_and_model_call(observed: Observed) -> None:
    await observed.laboratory.model.plays(scene("hello", says("hello")))
    customer = observed.laboratory.customer()
    trace = await trace_of(observed, await customer.says("hello"))
    assert trace.tree() == ["Session/send", "  invoke_agent Triage", "    chat demo"]
    (chat,) = trace.of("chat demo")
    assert chat.tags["gen_ai.operation.name"] == "chat"
    assert chat.tags["gen_ai.request.model"] == "demo"
    assert chat.tags["gen_ai.conversation.id"] == customer.session
    assert chat.tags["gen_ai.usage.input_tokens"] > 0
    assert chat.tags["gen_ai.usage.output_tokens"] > 0
    assert chat.tags["gen_ai.response.id"]
    assert chat.tags["span.kind"] == "client"


async def test_every_span_names_its_invocation(observed: Observed) -> None:
    customer, trace = await send_to_probe(observed, calls(("wait", {"name": "w"})), says("done"))
    invocations = {row["id"]: row["target"] for row in await observed.laboratory.invocations(customer.session)}
    found = {
        (span.name, invocations[span.tags["restate.invocation.id"]]) for span in trace.spans if span.service != RESTATE
    }
    assert found == {
        ("Session/send", f"Session/{customer.session}/send"),
        ("invoke_agent Triage", "Triage/take_turn"),
        ("chat demo", "Triage/take_turn"),
        ("invoke_agent Probe", "Probe/take_turn"),
        ("chat demo", "Probe/take_turn"),
        ("execute_tool wait", "ProbeTools/wait"),
    }


async def test_parallel_tool_calls_are_sibling_spans(observed: Observed) -> None:
    waits = [("wait", {"name": name, "milliseconds": 150}) for name in "abc"]
    _, trace = await send_to_probe(observed, calls(*waits), says("done"))
    assert trace.tree() == [
        "Session/send",
        "  invoke_agent Triage",
        "    chat demo",
        "  invoke_agent Probe",
        "    chat demo",
        "    execute_tool wait",
        "    execute_tool wait",
        "    execute_tool wait",
        "    chat demo",
    ]
    tools = trace.of("execute_tool wait")
    assert max(tool.start_us for tool in tools) < min(tool.start_us + tool.duration_us for tool in tools)
    assert len({tool.tags["gen_ai.tool.call.id"] for tool in tools}) == 3


async def test_hand_offs_are_sibling_spans(observed: Observed) -> None:
    to_bank = calls(("handoff_to_Bank", {"reason": "not mine"}))
    _, trace = await send_to_probe(observed, to_bank, says("here I am"))
    assert trace.tree() == [
        "Session/send",
        "  invoke_agent Triage",
        "    chat demo",
        "  invoke_agent Probe",
        "    chat demo",
        "  invoke_agent Bank",
        "    chat demo",
    ]


async def test_retried_tool_has_a_span_for_each_failed_attempt(observed: Observed) -> None:
    name = f"flaky in a trace {observed.laboratory.replays}"
    _, trace = await send_to_probe(observed, calls(("fail_at_first", {"name": name})), says("done"))
    assert trace.tree()[4:] == [
        "    chat demo",
        "    execute_tool fail_at_first",
        "      execute_tool fail_at_first (failed attempt) ! ConnectionError",
        "      execute_tool fail_at_first (failed attempt) ! ConnectionError",
        "    chat demo",
    ]


async def test_refused_tool_call_is_an_error_span(observed: Observed) -> None:
    _, trace = await send_to_probe(observed, calls(("refuse", {})), says("done"))
    assert trace.tree()[4:] == ["    chat demo", "    execute_tool refuse ! 409", "    chat demo"]


async def test_rate_limited_model_call_has_a_span_for_each_attempt(observed: Observed) -> None:
    fault = {"kind": "http_429", "retry_after_s": 0}
    _, trace = await send_to_probe(observed, {"fault": fault, "then": says("at last")})
    assert trace.tree()[3:] == ["  invoke_agent Probe", "    chat demo ! 429", "    chat demo"]
    assert [chat.tags["switchboard.attempt"] for chat in trace.of("chat demo")] == [1, 1, 2]


async def test_agent_killed_in_a_turn_leaves_each_span_once(observed: Observed) -> None:
    laboratory = observed.laboratory
    name = f"killed in a trace {laboratory.replays}"
    held = calls(("hold", {"name": name}))
    await laboratory.model.plays(scene("go", TO_PROBE, held, says("done")))
    customer = laboratory.customer()
    asked = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    sql = f"SELECT trace_id FROM sys_invocation WHERE target = 'Session/{customer.session}/send'"
    ((trace_id,),) = [row.values() for row in await laboratory.query(sql)]

    async def exported() -> bool:
        return len((await observed.observatory._read(trace_id)).of("chat demo")) == 2

    # Spans that are not exported yet are lost with the process, so wait until the model call's span is exported.
    await laboratory.until(exported)
    await laboratory.probe_agent.kill()
    await laboratory.probe_agent.start()
    laboratory.release(name)
    trace = await trace_of(observed, await asked)
    assert trace.tree() == [
        "Session/send",
        "  invoke_agent Triage",
        "    chat demo",
        "  invoke_agent Probe",
        "    chat demo",
        "    execute_tool hold",
        "    chat demo",
    ]


async def test_tools_killed_in_a_call_leave_each_span_once(observed: Observed) -> None:
    laboratory = observed.laboratory
    name = f"tool killed in a trace {laboratory.replays}"
    held = calls(("hold", {"name": name}))
    await laboratory.model.plays(scene("go", TO_PROBE, held, says("done")))
    asked = asyncio.create_task(laboratory.customer().says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    await laboratory.probe_tools.kill()
    await laboratory.probe_tools.start()
    laboratory.release(name)

    trace = await trace_of(observed, await asked)

    assert trace.tree()[4:] == ["    chat demo", "    execute_tool hold", "    chat demo"]


async def test_confirmation_is_linked_to_its_question(observed: Observed) -> None:
    pay = calls(("pay", {"to": "Bob", "amount": "5"}))
    customer, question = await send_to_probe(observed, pay)
    await observed.laboratory.model.plays(scene("yes", says("never said"), says("paid")))
    answer = await trace_of(observed, await customer.says("yes"))
    assert answer.tree() == [
        "Session/send",
        "  invoke_agent Probe",
        "    execute_tool pay",
        "    chat demo",
    ]
    (asked,), (said,) = question.of("Session/send"), answer.of("Session/send")
    assert asked.span_id in {span_id for _, span_id in said.links}


async def test_trace_headers_from_customers_are_ignored(observed: Observed) -> None:
    laboratory = observed.laboratory
    await laboratory.model.plays(scene("hello", says("hello")))
    customer = laboratory.customer()
    claims = {"x-switchboard-sent-at": str(2**64), "x-switchboard-call-id": "c-1"}

    async def call(handler: str, body: dict[str, str]) -> Answer:
        path, content = f"/Session/{customer.session}/{handler}", json.dumps(body).encode()
        url, proof = laboratory.mesh.addresses.ingress_url + path, laboratory.mesh.speaker.sign(path[1:], content)
        async with laboratory.http.post(url, data=content, headers={**JSON_BODY, **claims, **proof}) as response:
            return Answer(response.status, await response.json())

    answer = await call("send", {"customer_id": customer.customer_id, "text": "hello"})
    # This call ends before its trace position is in the journal.
    assert (await call("status", {"customer_id": customer.customer_id})).status == 200
    trace = await trace_of(observed, answer)
    assert trace.tree() == ["Session/send", "  invoke_agent Triage", "    chat demo"]
    (session,) = trace.of("Session/send")
    assert session.start_us > trace.of("ingress Session/{key}/send")[0].start_us - 60_000_000
    assert "Cannot send spans" not in laboratory.mesh.log("triage").read_text()
