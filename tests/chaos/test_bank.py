"""The bank agent is killed while it answers a question that needs three of its real tools."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from switchboard.local.process import Process
from tests.laboratory import Laboratory
from tests.mesh.money import Teller

THREE_QUESTIONS = "what is my balance, how much did I spend on groceries last month and which loans do I have?"
TOOLS = {"Accounts/alice/get_balance", "Accounts/alice/summarize_spending", "Loans/alice/list_loans"}


@contextmanager
def paused(process: Process) -> Iterator[None]:
    """Pause a process, so that calls to it stay in flight."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def test_parallel_tools_keep_running_when_the_agent_is_killed(laboratory: Laboratory) -> None:
    balance = await Teller(laboratory).balance("alice")
    await laboratory.model.follows_rules()
    customer = laboratory.customer("alice")

    async def all_three_run() -> bool:
        rows = await laboratory.invocations(customer.session)
        return {row["target"] for row in rows if row["status"] in ("running", "backing-off")} >= TOOLS

    with paused(laboratory.mesh.services["tools"]):
        message = asyncio.create_task(customer.says(THREE_QUESTIONS))
        await laboratory.until(all_three_run)
        await laboratory.mesh.services["bank"].kill()
        await laboratory.mesh.services["bank"].start()
    answer = await message
    assert (answer.status, answer.body["agent"], answer.body["failed"]) == (200, "Bank", False)
    assert f"{balance:,.2f} EUR in Checking" in answer.text
    rows = [row for row in await laboratory.invocations(customer.session) if row["depth"] == 2]
    assert sorted(row["target"] for row in rows) == sorted(TOOLS)
    assert {row["status"] for row in rows} == {"completed"}
    agents = [request["metadata"]["agent"] for request in await laboratory.model.requests(customer.session)]
    assert agents == ["Triage", "Bank", "Bank"]
