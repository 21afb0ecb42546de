"""The measure of how late words are: each word counts once, when it is first shown, and none may be missing."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.streams import NS_PER_MS, Front, watch

WORDS = 4
LATE_MS = 1_000


@dataclass(frozen=True)
class Played:
    """The address of a server that plays the gateway."""

    url: str


def event(kind: str, **data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


async def watched(parts: Sequence[bytes]) -> list[float]:
    """Return how late words are whose stream comes in these parts."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        return response

    app = web.Application()
    app.router.add_post("/v1/sessions/{session}/messages", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        played = Played(str(server.make_url("")).rstrip("/"))
        return (await watch(Front(None, played, None, http, {}), WORDS)).lateness()  # type: ignore[arg-type]


def words(count: int = WORDS) -> list[str]:
    """Words that a model has sent about a second ago."""
    now = time.monotonic_ns() - LATE_MS * NS_PER_MS
    return [str(now + number) for number in range(count)]


async def test_each_word_counts_once_when_it_is_first_shown() -> None:
    said = words()
    whole = " ".join(said)
    stream = [
        event("delta", text=f"{said[0]} "),
        event("delta", text=f"{said[1]} {said[2]}"),
        event("reset"),
        event("delta", text=f"{said[0]} {said[1]} "),
        event("reply", text=whole, turn=1),
    ]
    cut = b"".join(stream)
    for parts in (stream, [cut[:70], cut[70:75], cut[75:]]):
        late = await watched(parts)
        assert len(late) == WORDS
        assert all(LATE_MS <= each < 10 * LATE_MS for each in late)


@pytest.mark.parametrize(
    "text",
    ["", "I am sorry.", " ".join(words(WORDS - 1)), " ".join(words(WORDS + 1))],
    ids=["nothing", "an apology", "one word less", "one word more"],
)
async def test_stream_without_all_words_is_no_measurement(text: str) -> None:
    with pytest.raises(RuntimeError, match=f"words of {WORDS}"):
        await watched([event("reply", text=text)])


async def test_words_of_the_future_are_no_measurement() -> None:
    later = [str(time.monotonic_ns() + 3600 * 10**9 + number) for number in range(WORDS)]
    with pytest.raises(RuntimeError, match="words of"):
        await watched([event("reply", text=" ".join(later))])
