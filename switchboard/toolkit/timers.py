"""Timers in a virtual object: a stored book of pending entries, and one delayed call to the object per entry.

The book is authoritative. A delayed call handles its entry only if the entry is still in the book, and removes it. So
each entry is handled at most once, and never after it was cancelled, whichever of the two comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar

import restate
from pydantic import BaseModel

from switchboard.messages import WireModel


class TimerEntry(WireModel):
    """A pending entry. Subclasses add their fields, including the id of the delayed call."""

    @property
    def entry_id(self) -> str:
        raise NotImplementedError


Entry = TypeVar("Entry", bound=TimerEntry)


class TimerBook(WireModel, Generic[Entry]):
    """The pending entries, oldest first. `numbered` is the last number used, so that ids are never reused."""

    numbered: int = 0
    pending: tuple[Entry, ...] = ()

    @property
    def next_number(self) -> int:
        return self.numbered + 1

    @property
    def ids(self) -> str:
        """The ids of the entries for people, or "none"."""
        return ", ".join(entry.entry_id for entry in self.pending) or "none"

    def find(self, entry_id: str) -> Entry | None:
        return next((entry for entry in self.pending if entry.entry_id == entry_id), None)

    def with_next_number(self) -> Self:
        """Return the book with the next number marked as used."""
        return self.model_copy(update={"numbered": self.next_number})

    def with_entry(self, entry: Entry) -> Self:
        """Return the book with this entry: it replaces the one with the same id, or is appended."""
        if self.find(entry.entry_id) is None:
            return self.model_copy(update={"pending": (*self.pending, entry)})
        pending = tuple(entry if old.entry_id == entry.entry_id else old for old in self.pending)
        return self.model_copy(update={"pending": pending})

    def without(self, entry_id: str) -> Self:
        return self.model_copy(update={"pending": tuple(old for old in self.pending if old.entry_id != entry_id)})


Book = TypeVar("Book", bound=TimerBook[Any])


@dataclass(frozen=True)
class WakeUp:
    """A delayed call to a handler of the same object."""

    handler: Callable[..., Any]
    request: BaseModel
    delay: timedelta


@dataclass(frozen=True)
class Timers(Generic[Book]):
    """Access to the book that an object stores under `state_key`."""

    state_key: str
    book: type[Book]

    async def read(self, ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Book:
        return await ctx.get(self.state_key, type_hint=self.book) or self.book()

    def write(self, ctx: restate.ObjectContext, book: Book) -> None:
        ctx.set(self.state_key, book)

    async def add(
        self, ctx: restate.ObjectContext, book: Book, wake_up: WakeUp, entry: Callable[[str], TimerEntry]
    ) -> None:
        """Start a timer and store its entry. `entry` creates the entry from the timer's id."""
        # If this is cancelled at the await, the timer is left without an entry. Its number is already used, so that it
        # cannot handle a later entry.
        self.write(ctx, book.with_next_number())
        timer_id = await self.start(ctx, wake_up)
        self.write(ctx, book.with_next_number().with_entry(entry(timer_id)))

    async def start(self, ctx: restate.ObjectContext, wake_up: WakeUp) -> str:
        """Start a timer and return the id of its delayed call. A negative delay counts as zero."""
        delay = max(wake_up.delay, timedelta(0))
        timer = ctx.object_send(wake_up.handler, ctx.key(), wake_up.request, send_delay=delay)
        return await timer.invocation_id()

    def cancel(self, ctx: restate.ObjectContext, book: Book, entry_id: str, timer_id: str) -> None:
        """Remove an entry and stop its timer."""
        self.write(ctx, book.without(entry_id))
        if timer_id:
            # Not needed for correctness, since the timer would find no entry. It frees a call that may wait for a year.
            ctx.cancel_invocation(timer_id)
