"""Staff approvals in the terminal: lists the pending requests and decides one."""

from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchboard.builtin.approvals.contract import Decided, InboxPage, PendingApproval
from switchboard.cli.staff import StaffDesk


async def pending_approvals(desk: StaffDesk) -> InboxPage:
    """Return the first page of pending requests. Raises MeshUnavailable if no mesh answers."""
    async with desk.api() as staff:
        return await staff.get(InboxPage, "approvals")


async def decide(desk: StaffDesk, verdict: Literal["approve", "reject"], approval_id: str, why: str) -> str:
    """Approve or reject a request and return a summary. Raises Refused if it is already decided or does not exist."""
    async with desk.api() as staff:
        return (await staff.post(Decided, "approvals", approval_id, verdict, why=why)).summary


def show(page: InboxPage, console: Console) -> None:
    """Print the pending requests as a table, with the facts that staff need for their decision."""
    if not page.waiting:
        console.print(page.summary, style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("id", "request", "customer", "since", "deadline", "reminded"):
        table.add_column(column, no_wrap=column in ("id", "since", "deadline", "reminded"))
    for item in page.waiting:
        table.add_row(*cells(item))
        # Rich tables have no column span, so the facts go below the title, which has the most room.
        table.add_row("", facts(item))
    console.print(table)
    if page.waiting_total > len(page.waiting):
        console.print(f"{len(page.waiting)} of {page.waiting_total} requests are shown, oldest first.", style="dim")


def cells(item: PendingApproval) -> list[Text]:
    reminded = {0: "", 1: "once", 2: "twice"}.get(item.reminders, f"{item.reminders} times")
    return [
        Text(item.approval_id, style="bold"),
        Text(item.title),
        Text(item.customer_id),
        Text(f"{item.since.astimezone():%m-%d %H:%M}"),
        Text(f"{item.until.astimezone():%m-%d %H:%M}"),
        Text(reminded, style="yellow"),
    ]


def facts(item: PendingApproval) -> Text:
    return Text("\n".join(f"{fact.name}: {fact.value}" for fact in item.facts) + "\n", style="dim")
