"""Several addresses of one server, such as the nodes of a Restate cluster, which are tried in turn.

A node that hangs still accepts connections, so only time shows that it does not answer. An attempt that is safe to
repeat therefore gets little time, and then the next address is tried.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AnyHttpUrl, TypeAdapter

Answer = TypeVar("Answer")

ATTEMPT_TIMEOUT = timedelta(milliseconds=1500)
"""How long an address has to answer a short request before the next one is tried."""

SLOW_FACTOR = 4
"""How much more time each further round over all addresses gives: a server under load is slow at every address."""

SLOW_ROUNDS_MAX = 2
"""Rounds that give more time than the one before."""

URL = TypeAdapter(AnyHttpUrl)


def check_urls(text: str) -> str:
    """Return a comma-separated list of URLs without blanks. Raises ValueError if it is empty or a URL is invalid."""
    urls = [str(URL.validate_python(url.strip())) for url in text.split(",") if url.strip()]
    if not urls:
        raise ValueError("is empty; give a URL, or several separated by commas")
    return ",".join(urls)


Urls = Annotated[str, AfterValidator(check_urls)]
"""The type of a setting that takes one URL, or several separated by commas."""


class Addresses:
    """The URLs of one server. `current` is the one that answered last."""

    def __init__(self, urls: str) -> None:
        self.urls = tuple(url.strip().rstrip("/") for url in urls.split(","))
        self._current = 0

    @property
    def current(self) -> str:
        return self.urls[self._current]

    def failed(self, url: str) -> None:
        """Make the next address the current one, unless another request has done so since."""
        if url == self.current:
            self._current = (self._current + 1) % len(self.urls)

    def timeout(self, attempt: int) -> timedelta:
        """Return how long attempt number `attempt`, from 0, waits for an answer."""
        rounds = min(attempt // len(self.urls), SLOW_ROUNDS_MAX)
        return ATTEMPT_TIMEOUT * float(SLOW_FACTOR**rounds)

    async def first_answer(
        self,
        ask: Callable[[str], Awaitable[Answer]],
        failures: tuple[type[Exception], ...],
        attempt_timeout: timedelta = ATTEMPT_TIMEOUT,
    ) -> Answer:
        """Ask each address once, until one answers. The last one may take as long as the caller waits.

        Raises the error of the last one.
        """
        passing: tuple[type[Exception], ...] = (*failures, TimeoutError)
        for _ in self.urls[1:]:
            url = self.current
            try:
                async with asyncio.timeout(attempt_timeout.total_seconds()):
                    return await ask(url)
            except passing:
                self.failed(url)
        url = self.current
        try:
            return await ask(url)
        except passing:
            self.failed(url)
            raise
