"""Staff cases in the terminal: lists the open cases, shows one, adds a note, and closes one."""

from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchboard.builtin.cases.contract import Case, CasePage
from switchboard.cli.staff import StaffDesk
from switchboard.session.contract import TurnRecord


async def open_cases(desk: StaffDesk) -> CasePage:
    """Return the first page of open cases. Raises MeshUnavailable if no mesh answers."""
    async with desk.api() as staff:
        return await staff.get(CasePage, "cases")


async def read(desk: StaffDesk, case_id: str) -> Case:
    """Return a case, open or closed. Raises Refused if it does not exist."""
    async with desk.api() as staff:
        return await staff.get(Case, "cases", case_id)


async def add_note(desk: StaffDesk, case_id: str, text: str) -> str:
    """Add a note to an open case and return a summary. Raises Refused if the case does not exist or is closed."""
    async with desk.api() as staff:
        noted = await staff.post(Case, "cases", case_id, "notes", text=text)
    return f"{noted.case_id} has {len(noted.notes)} {'note' if len(noted.notes) == 1 else 'notes'}."


async def conversation_of(desk: StaffDesk, case_id: str) -> tuple[Case, list[TurnRecord]]:
    """Return a case and its session's whole transcript, oldest turn first. Raises Refused."""
    async with desk.api() as staff:
        case = await staff.get(Case, "cases", case_id)
        return case, await staff.turns(case.session_id)


async def close(desk: StaffDesk, case_id: str, outcome: str) -> str:
    """Close a case and return a summary. Raises Refused if the case does not exist or is already closed."""
    async with desk.api() as staff:
        closed = await staff.post(Case, "cases", case_id, "close", outcome=outcome)
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


def show_case(case: Case, console: Console) -> None:
    """Print a case with everything that staff know about it."""
    rows = [
        ("Case", Text(case.case_id, style="bold")),
        ("Customer", customer_cell(case)),
        ("Session", Text(f"{case.session_id}  (to answer the customer: switchboard take-over --case {case.case_id})")),
        ("Opened", Text(local_time(case.opened_at))),
        ("Summary", Text(case.summary)),
        *(("Note", Text(f"{local_time(note.at)}, {note.by}: {note.text}")) for note in case.notes),
    ]
    if case.closed_at is not None:
        rows.append(("Closed", Text(f"{local_time(case.closed_at)}, {case.closed_by}: {case.outcome}")))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)


def local_time(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
