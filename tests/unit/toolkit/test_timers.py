"""A book of timers: its ids, and the order of state, timer and cancellation in the journal."""

from datetime import timedelta
from typing import Any

import pytest

from switchboard import NoInput
from switchboard.toolkit.timers import TimerBook, TimerEntry, Timers, WakeUp


class Entry(TimerEntry):
    name: str
    timer_id: str = ""

    @property
    def entry_id(self) -> str:
        return self.name


class Book(TimerBook[Entry]):
    pass


class Handle:
    async def invocation_id(self) -> str:
        return "inv_1"


class Context:
    """An object's context: keeps the state, and what was done in which order."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.done: list[tuple[Any, ...]] = []

    def key(self) -> str:
        return "alice"

    async def get(self, name: str, type_hint: Any) -> Any:
        return self.state.get(name)

    def set(self, name: str, value: Any) -> None:
        self.state[name] = value
        self.done.append(("set", name, value.numbered, [entry.entry_id for entry in value.pending]))

    def object_send(self, handler: Any, key: str, request: Any, send_delay: timedelta) -> Handle:
        self.done.append(("send", handler, key, send_delay))
        return Handle()

    def cancel_invocation(self, invocation_id: str) -> None:
        self.done.append(("cancel", invocation_id))


BOOK = Timers("book", Book)


@pytest.fixture
def ctx() -> Any:
    return Context()


async def test_added_entry_uses_up_its_number_before_its_timer_starts(ctx: Any) -> None:
    wake_up = WakeUp(len, NoInput(), timedelta(hours=1))
    await BOOK.add(ctx, await BOOK.read(ctx), wake_up, lambda timer_id: Entry(name="R1", timer_id=timer_id))
    assert ctx.done == [
        ("set", "book", 1, []),
        ("send", len, "alice", timedelta(hours=1)),
        ("set", "book", 1, ["R1"]),
    ]
    assert (await BOOK.read(ctx)).find("R1") == Entry(name="R1", timer_id="inv_1")


async def test_timer_that_is_late_starts_at_once(ctx: Any) -> None:
    await BOOK.start(ctx, WakeUp(len, NoInput(), timedelta(hours=-1)))
    assert ctx.done == [("send", len, "alice", timedelta(0))]


def test_cancelled_entry_is_removed_before_its_timer_is_stopped(ctx: Any) -> None:
    BOOK.cancel(ctx, Book(numbered=1, pending=(Entry(name="R1", timer_id="inv_1"),)), "R1", "inv_1")
    assert ctx.done == [("set", "book", 1, []), ("cancel", "inv_1")]


def test_number_is_never_used_twice() -> None:
    book = Book().with_next_number().with_entry(Entry(name="R1"))
    assert (book.next_number, book.without("R1").next_number) == (2, 2)
    assert (book.ids, book.without("R1").ids) == ("R1", "none")


def test_entry_replaces_the_one_with_its_id_in_its_place() -> None:
    book = Book().with_entry(Entry(name="R1")).with_entry(Entry(name="R2"))
    assert book.with_entry(Entry(name="R1", timer_id="new")).pending == (
        Entry(name="R1", timer_id="new"),
        Entry(name="R2"),
    )
