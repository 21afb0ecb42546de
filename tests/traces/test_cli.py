"""When the CLI sends spans too, it is the root of the trace."""

import asyncio
import os
import sys

from switchboard.testing import says, scene
from tests.parts import PROJECT
from tests.traces.observatory import Observed


async def test_ask_command_is_the_root_of_its_trace(observed: Observed) -> None:
    laboratory = observed.laboratory
    await laboratory.model.plays(scene("hello", says("hello yourself")))
    addresses = laboratory.mesh.addresses
    places = ["--ingress-url", addresses.ingress_url, "--admin-url", addresses.admin_url]
    asking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "switchboard.cli", "ask", "--new", *places, "hello"),
        env={**os.environ, **observed.observatory.environment, **laboratory.mesh.speaker_environment},
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, noted = (output.decode() for output in await asking.communicate())
    assert (asking.returncode, said) == (0, "hello yourself\n"), noted
    trace_id = noted.rsplit("trace ", 1)[1].split()[0]
    trace = await observed.observatory.trace(trace_id)
    assert trace.faults() == []
    (root,) = [span for span in trace.spans if span.parent is None]
    assert (root.service, root.name) == ("cli", "send message")
    assert [line.strip() for line in trace.tree()][-3:] == ["Session/send", "invoke_agent Triage", "chat demo"]
