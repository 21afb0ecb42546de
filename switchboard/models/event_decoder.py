"""Decodes the server-sent events of a model's stream. Each part of its text is one of them."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Protocol

EVENT, DATA = "event: ", "data: "
"""How nearly all lines of a model's stream begin."""

END = b"\n\n"

REST_MAX_BYTES = 256 * 1024
"""Of an event that has not ended yet. It is copied with each part that arrives."""


class Decoder(Protocol):
    """A client's own decoder of bytes into its events."""

    def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[Any]: ...


class QuickDecoder:
    """Decodes as a client's own decoder does, in less time: that one takes half of what a streamed answer costs.

    From the first event on that has anything else than lines of EVENT and DATA, the client's own one decodes.
    """

    def __init__(self, own: Decoder, make_event: Callable[..., Any]) -> None:
        self._own = own
        self._make_event = make_event

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        """Yield the client's events."""
        rest = b""
        async for part in iterator:
            *blocks, rest = (rest + part).split(END)
            for number, block in enumerate(blocks):
                event = self._read(block)
                if event is None:
                    rest = END.join((*blocks[number:], rest))
                    break
                yield event
            else:
                if b"\r" not in rest and len(rest) <= REST_MAX_BYTES:
                    continue
            break
        async for event in self._own.aiter_bytes(followed(rest, iterator)):
            yield event

    def _read(self, block: bytes) -> Any | None:
        """Return the event of some lines; None if it is left to the client's own decoder."""
        if b"\r" in block:
            return None
        kind, data = None, []
        for line in block.decode().split("\n"):
            if line.startswith(DATA):
                data.append(line[len(DATA) :])
            elif line.startswith(EVENT):
                kind = line[len(EVENT) :]
            else:
                return None
        return self._make_event(event=kind, data="\n".join(data))


async def followed(first: bytes, more: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in more:
        yield part
