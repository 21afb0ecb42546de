"""Shares of a gateway's places: what one customer, or one address behind a proxy, may take."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from math import ceil

from switchboard.gateway.problems import Problem

TOO_MANY_REQUESTS = 429
RETRY_SOON_S = 1
MINUTE_S = 60

HOLDERS_MAX = 10_000
"""How many holders are remembered before those with a whole minute's requests are forgotten."""

TOO_MANY_AT_ONCE = (
    "You have {open} requests in progress, which is the limit. Wait for a reply, then retry with the same "
    "Idempotency-Key."
)
TOO_MANY_A_MINUTE = "You have sent too many requests in a short time. Retry with the same Idempotency-Key."


class Places:
    """Open requests and requests a minute, by holder: at most `share` and `per_minute` (0 is no limit) each.

    A minute's requests may come at once. Then one more comes after each sixtieth part of a minute, and so on. `now`
    returns a time in seconds that never goes back.
    """

    def __init__(self, share: int, per_minute: int = 0, now: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._per_minute = per_minute
        self._now = now
        self._open: Counter[Hashable] = Counter()
        self._full_at: dict[Hashable, float] = {}

    @contextmanager
    def taken(self, holder: Hashable, waits: bool = True) -> Iterator[None]:
        """Take a place while the block runs. Raises Problem 429 if the holder has its share.

        A request that does not wait takes no place, but counts for the minute.
        """
        if not waits:
            self._count(holder)
            yield
            return
        with self.open(holder):
            self._count(holder)
            yield

    @contextmanager
    def open(self, holder: Hashable) -> Iterator[None]:
        """Take a place while the block runs, for a request that is counted already. Raises Problem 429."""
        if self._open[holder] >= self._share:
            raise Problem(
                TOO_MANY_REQUESTS, "too_many_requests", TOO_MANY_AT_ONCE.format(open=self._share), RETRY_SOON_S
            )
        self._open[holder] += 1
        try:
            yield
        finally:
            self._open[holder] -= 1
            if not self._open[holder]:
                del self._open[holder]

    def _count(self, holder: Hashable) -> None:
        """Count a request. `_full_at` is when the holder will again have a whole minute's requests."""
        if not self._per_minute:
            return
        now = self._now()
        full_at = max(self._full_at.get(holder, now), now) + MINUTE_S / self._per_minute
        wait = full_at - MINUTE_S - now
        if wait > 0:
            raise Problem(TOO_MANY_REQUESTS, "too_many_requests", TOO_MANY_A_MINUTE, ceil(wait))
        if len(self._full_at) >= HOLDERS_MAX:
            self._full_at = {each: at for each, at in self._full_at.items() if at > now}
        self._full_at[holder] = full_at
