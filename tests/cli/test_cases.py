"""`switchboard cases`: the list of open cases, and closing one."""

import asyncio
from datetime import UTC, datetime
from subprocess import CompletedProcess

from rich.console import Console

from switchboard.builtin.cases.contract import Case, CasePage
from switchboard.cli.cases import show
from tests.cli.conftest import run
from tests.gateway.desk import staff_token
from tests.gateway.front import Gateway
from tests.mesh.booking_desk import call_tool, content_of

CASE = Case(
    case_id="case-3f9a1c07",
    customer_id="carol",
    session_id="s-1",
    verified=True,
    summary="Wants her flown booking refunded",
    opened_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
)


def drawn(*cases: Case, total: int = 0) -> str:
    console = Console(width=110, color_system=None)
    with console.capture() as capture:
        show(CasePage(summary="No cases are open.", cases=cases, open_total=total or len(cases)), console)
    return capture.get()


def test_cases_list_shows_customer_and_summary() -> None:
    picture = drawn(CASE)
    assert all(text in picture for text in ("case-3f9a1c07", "carol", "s-1", "Wants her flown booking refunded"))
    assert "not verified" not in picture
    assert "carol (not verified)" in drawn(CASE.model_copy(update={"verified": False}))
    assert drawn() == "No cases are open.\n"
    assert "1 of 70 cases are shown" in drawn(CASE, total=70)


async def test_transfer_opens_a_case_that_staff_can_close(gateway: Gateway) -> None:
    laboratory = gateway.laboratory
    summary = {"summary": "Wants her flown booking refunded"}
    assert (
        content_of(await call_tool(laboratory, "carol", ("transfer_to_human_agents", summary))) == "Transfer successful"
    )

    async def switchboard(*arguments: str) -> CompletedProcess[str]:
        token = {"SWITCHBOARD_GATEWAY_URL": gateway.ports.url, "SWITCHBOARD_STAFF_TOKEN": staff_token("mia")}
        return await asyncio.to_thread(run, *arguments, **token)

    listed = await switchboard("cases", "list")
    line = next(line for line in listed.stdout.splitlines() if "carol" in line)
    case_id = line.split()[0]
    noted = await switchboard("cases", "note", case_id, "--text", "Called back")
    assert (noted.returncode, noted.stdout) == (0, f"{case_id} has 1 note.\n")
    closing = ["cases", "close", case_id, "--outcome", "Refunded as a courtesy"]
    closed = await switchboard(*closing)
    assert (closed.returncode, closed.stdout) == (0, f"{case_id} is closed. carol is notified of the outcome.\n")
    again = await switchboard(*closing)
    assert again.returncode == 2
    assert f"{case_id} was already closed by mia: Refunded as a courtesy" in again.stderr
    shown = await switchboard("cases", "show", case_id)
    assert "mia: Called back" in shown.stdout
    assert "mia: Refunded as a courtesy" in shown.stdout
    talk = await switchboard("cases", "transcript", case_id)
    assert "transfer_to_human_agents(" in talk.stdout
    session = laboratory.customer("carol", session=line.split()[2])

    async def notified() -> bool:
        notices = [message["text"] for message in await session.messages() if message["kind"] == "notice"]
        return notices == [f"Our staff have closed your case {case_id}: Refunded as a courtesy"]

    await laboratory.until(notified)
    unknown = await switchboard("cases", "close", "open", "--outcome", "none")
    assert "There is no case 'open'" in unknown.stderr
