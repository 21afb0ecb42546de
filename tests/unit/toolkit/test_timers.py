"""Timer books: ids, and the order of state changes, timers and cancellations in the journal."""

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
    """An object's context that records the state and the order of operations."""

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


async def test_add_uses_up_the_number_before_the_timer_starts(ctx: Any) -> None:
    wake_up = WakeUp(len, NoInput(), timedelta(hours=1))
    await BOOK.add(ctx, await BOOK.read(ctx), wake_up, lambda timer_id: Entry(name="R1", timer_id=timer_id))
    assert ctx.done == [
        ("set", "book", 1, []),
        ("send", len, "alice", timedelta(hours=1)),
        ("set", "book", 1, ["R1"]),
    ]
    assert (await BOOK.read(ctx)).find("R1") == Entry(name="R1", timer_id="inv_1")


async def test_timer_with_negative_delay_starts_immediately(ctx: Any) -> None:
    await BOOK.start(ctx, WakeUp(len, NoInput(), timedelta(hours=-1)))
    assert ctx.done == [("send", len, "alice", timedelta(0))]


def test_cancel_removes_the_entry_before_it_stops_the_timer(ctx: Any) -> None:
    BOOK.cancel(ctx, Book(numbered=1, pending=(Entry(name="R1", timer_id="inv_1"),)), "R1", "inv_1")
    assert ctx.done == [("set", "book", 1, []), ("cancel", "inv_1")]


def test_numbers_are_never_reused() -> None:
    book = Book().with_next_number().with_entry(Entry(name="R1"))
    assert (book.next_number, book.without("R1").next_number) == (2, 2)
    assert (book.ids, book.without("R1").ids) == ("R1", "none")


def test_with_entry_replaces_entry_with_the_same_id_in_place() -> None:
    book = Book().with_entry(Entry(name="R1")).with_entry(Entry(name="R2"))
    assert book.with_entry(Entry(name="R1", timer_id="new")).pending == (
        Entry(name="R1", timer_id="new"),
        Entry(name="R2"),
    )
