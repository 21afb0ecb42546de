"""Staff cases in the terminal: lists the open cases and closes one."""

import uuid

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchboard.builtin.cases.contract import CASES, Case, CasePage, CaseQuery, CloseCase
from switchboard.cli.console import note
from switchboard.client import MeshClient
from switchboard.local.problem import InvalidCommand
from switchboard.loop.decide import explain


async def open_cases(ingress_url: str) -> CasePage:
    """Return the first page of open cases. Raises MeshUnavailable if no mesh answers."""
    async with MeshClient(ingress_url, notify=note) as mesh:
        return await mesh.read_staff(CASES, "list", CaseQuery(), CasePage)


async def close(ingress_url: str, case_id: str, by: str, outcome: str) -> str:
    """Close a case and return a summary. Raises Refused if the case does not exist or is already closed."""
    try:
        closing = CloseCase(case_id=case_id, by=by, outcome=outcome)
    except ValidationError as error:
        raise InvalidCommand(f"{explain(error)}.") from error
    async with MeshClient(ingress_url, notify=note) as mesh:
        closed = await mesh.staff(CASES, "close", closing, Case, idempotency_key=uuid.uuid4().hex)
    if closed.verified:
        return f"{closed.case_id} is closed. {closed.customer_id} is notified of the outcome."
    return (
        f"{closed.case_id} is closed. It was opened by a customer who was not verified as {closed.customer_id}."
        " They are notified of the outcome only if they have verified their identity since then."
    )


def customer_cell(case: Case) -> Text:
    """Return the customer, marked if not verified: staff must see that before they answer."""
    return Text(case.customer_id) if case.verified else Text(f"{case.customer_id} (not verified)", style="yellow")


def show(page: CasePage, console: Console) -> None:
    """Print the open cases as a table."""
    if not page.cases:
        console.print(page.summary, style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("id", "customer", "session", "opened"):
        table.add_column(column, no_wrap=True)
    table.add_column("summary")
    for case in page.cases:
        table.add_row(
            Text(case.case_id, style="bold"),
            customer_cell(case),
            Text(case.session_id),
            Text(f"{case.opened_at.astimezone():%m-%d %H:%M}"),
            Text(case.summary),
        )
    console.print(table)
    if page.open_total > len(page.cases):
        console.print(f"{len(page.cases)} of {page.open_total} cases are shown, oldest first.", style="dim")
