"""Timers in a virtual object: a stored book of pending entries, and a delayed call to the object for each of them.

The book decides, not the timer: an entry is handled when its call finds it still in the book, and is removed with
that. So it is handled once, and never after it was cancelled, in whatever order the two arrive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar

import restate
from pydantic import BaseModel

from switchboard.messages import WireModel


class TimerEntry(WireModel):
    """A pending entry. Subclasses add fields, among them the id of the delayed call."""

    @property
    def entry_id(self) -> str:
        raise NotImplementedError


Entry = TypeVar("Entry", bound=TimerEntry)


class TimerBook(WireModel, Generic[Entry]):
    """The pending entries, oldest first. `numbered` counts all there ever were, so that no id is used twice."""

    numbered: int = 0
    pending: tuple[Entry, ...] = ()

    @property
    def next_number(self) -> int:
        return self.numbered + 1

    @property
    def ids(self) -> str:
        """The ids of the entries, for a person."""
        return ", ".join(entry.entry_id for entry in self.pending) or "none"

    def find(self, entry_id: str) -> Entry | None:
        return next((entry for entry in self.pending if entry.entry_id == entry_id), None)

    def numbered_on(self) -> Self:
        """Return the book with one number used up."""
        return self.model_copy(update={"numbered": self.next_number})

    def with_entry(self, entry: Entry) -> Self:
        """Return the book with this entry in the place of the one with its id, or behind all."""
        if self.find(entry.entry_id) is None:
            return self.model_copy(update={"pending": (*self.pending, entry)})
        pending = tuple(entry if old.entry_id == entry.entry_id else old for old in self.pending)
        return self.model_copy(update={"pending": pending})

    def without(self, entry_id: str) -> Self:
        return self.model_copy(update={"pending": tuple(old for old in self.pending if old.entry_id != entry_id)})


Book = TypeVar("Book", bound=TimerBook[Any])


@dataclass(frozen=True)
class WakeUp:
    """A call to a handler of the same object, later."""

    handler: Callable[..., Any]
    request: BaseModel
    delay: timedelta


@dataclass(frozen=True)
class Timers(Generic[Book]):
    """The book that an object keeps under `state_key`."""

    state_key: str
    book: type[Book]

    async def read(self, ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Book:
        return await ctx.get(self.state_key, type_hint=self.book) or self.book()

    def write(self, ctx: restate.ObjectContext, book: Book) -> None:
        ctx.set(self.state_key, book)

    async def add(
        self, ctx: restate.ObjectContext, book: Book, wake_up: WakeUp, entry: Callable[[str], TimerEntry]
    ) -> None:
        """Start a timer and keep the entry that `entry` makes of the timer's id."""
        # Cancelled at the await, this leaves a timer. Its number is used up by then, so that it finds nothing.
        self.write(ctx, book.numbered_on())
        timer_id = await self.start(ctx, wake_up)
        self.write(ctx, book.numbered_on().with_entry(entry(timer_id)))

    async def start(self, ctx: restate.ObjectContext, wake_up: WakeUp) -> str:
        """Start a timer and return the id of its call; at once when the delay is over."""
        delay = max(wake_up.delay, timedelta(0))
        timer = ctx.object_send(wake_up.handler, ctx.key(), wake_up.request, send_delay=delay)
        return await timer.invocation_id()

    def cancel(self, ctx: restate.ObjectContext, book: Book, entry_id: str, timer_id: str) -> None:
        """Remove an entry and stop its timer."""
        self.write(ctx, book.without(entry_id))
        if timer_id:
            # Only to be tidy: the timer would find nothing, but it could wait for that up to a year.
            ctx.cancel_invocation(timer_id)
