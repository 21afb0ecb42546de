"""The example client of MCP, as the documentation runs it."""

import asyncio
import os
import sys
from uuid import uuid4

import pytest

from switchboard.testing import calls, says, scene
from tests.gateway.front import Gateway
from tests.parts import PROJECT, at_night

EXAMPLE = PROJECT / "examples/mcp/customer.py"
ENDS_WITHIN_S = 180


@pytest.mark.parametrize(
    ("typed", "paid", "said"),
    [("y", 1, "Probe: it is done"), *at_night(("n", 0, "Probe: Okay, I won't do that."))],
)
async def test_example_puts_the_question_to_the_person(gateway: Gateway, typed: str, paid: int, said: str) -> None:
    name = uuid4().hex
    await gateway.laboratory.model.plays(
        scene("pay", calls(("handoff_to_Probe", {"reason": "a payment"})), calls(("pay", {"to": name, "amount": "1"}))),
        scene("Yes.", says("never said"), says("it is done")),
    )
    visitor = gateway.visitor()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), "pay"),
        env={**os.environ, "MCP_URL": f"{visitor.url}/v1/mcp", "TOKEN": visitor.token},
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(ENDS_WITHIN_S):
        printed, _ = await process.communicate(f"{typed}\n".encode())
    lines = printed.decode()
    assert process.returncode == 0, lines
    assert lines.splitlines()[-1].endswith(said), lines
    assert f"Pay 1 EUR to {name}? [y/N]" in lines
    assert "Probe works on it." in lines
    assert gateway.laboratory.probed(f'paid {{"to":"{name}","amount":"1"}}') == paid
