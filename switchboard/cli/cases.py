"""Customers' matters that staff have taken over, at the terminal: a table of the open ones, and their end."""

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
    """The first page of the open cases. Raises MeshUnavailable when nobody answers."""
    async with MeshClient(ingress_url, notify=note) as mesh:
        return await mesh.staff(CASES, "list", CaseQuery(), CasePage)


async def close(ingress_url: str, case_id: str, by: str, outcome: str) -> str:
    """Close a case; what was done, in a sentence. Raises Refused when there is none of that id, or it is closed."""
    try:
        closing = CloseCase(case_id=case_id, by=by, outcome=outcome)
    except ValidationError as error:
        raise InvalidCommand(f"{explain(error)}.") from error
    async with MeshClient(ingress_url, notify=note) as mesh:
        closed = await mesh.staff(CASES, "close", closing, Case, idempotency_key=uuid.uuid4().hex)
    if closed.verified:
        return f"{closed.case_id} is closed; {closed.customer_id} is told."
    return (
        f"{closed.case_id} is closed. It was opened by somebody not known to be {closed.customer_id}: they are told the"
        " outcome only if they have proven it since."
    )


def whose(case: Case) -> Text:
    """The customer; where nobody has proven to be them, staff have to see it before they answer."""
    return Text(case.customer_id) if case.verified else Text(f"{case.customer_id} (not verified)", style="yellow")


def show(page: CasePage, console: Console) -> None:
    """The open cases as a table, each with its summary in a row of its own."""
    if not page.cases:
        console.print(page.summary, style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("id", "for", "session", "since"):
        table.add_column(column, no_wrap=True)
    table.add_column("what")
    for case in page.cases:
        table.add_row(
            Text(case.case_id, style="bold"),
            whose(case),
            Text(case.session_id),
            Text(f"{case.opened_at.astimezone():%m-%d %H:%M}"),
            Text(case.summary),
        )
    console.print(table)
    if page.open_total > len(page.cases):
        console.print(f"{len(page.cases)} of {page.open_total} are shown, the oldest first.", style="dim")
