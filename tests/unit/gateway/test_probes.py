"""Probes: they cost Restate nothing, and see an event loop that turns no more."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from switchboard.gateway.probes import Readiness, probe_pages
from switchboard.gateway.problems import Problem

SOON = timedelta(milliseconds=50)


def others(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"a page of others"]


def get(path: str, loop: asyncio.AbstractEventLoop, readiness: Readiness) -> tuple[str, bytes]:
    """The status line and the body that a thread is answered."""
    statuses: list[str] = []
    page = probe_pages(readiness, loop, others, SOON)
    body = page({"PATH_INFO": path}, lambda status, headers, error=None: statuses.append(status))  # type: ignore
    return statuses[0], b"".join(body)


async def test_restate_is_asked_once_however_many_ask() -> None:
    asked = 0

    async def answers() -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return True

    readiness = Readiness(answers)
    await asyncio.gather(*(readiness.check() for _ in range(100)))
    assert asked == 1


async def test_what_was_asked_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.gateway.probes.FRESH_FOR", timedelta(0))
    said = [True, False]

    async def answers() -> bool:
        return said.pop(0)

    readiness = Readiness(answers)
    await readiness.check()
    with pytest.raises(Problem) as away:
        await readiness.check()
    assert away.value.code == "restate_away"


async def test_the_pages_of_a_thread() -> None:
    async def answers() -> bool:
        return True

    loop, readiness = asyncio.get_running_loop(), Readiness(answers)
    assert await asyncio.to_thread(get, "/health", loop, readiness) == ("200 OK", b'{"status":"ok"}')
    assert await asyncio.to_thread(get, "/ready", loop, readiness) == ("200 OK", b'{"status":"ok"}')
    assert (await asyncio.to_thread(get, "/metrics", loop, readiness))[1] == b"a page of others"
    readiness.stopping = True
    status, said = await asyncio.to_thread(get, "/ready", loop, readiness)
    assert status == "503 Service Unavailable"
    assert b'"stopping"' in said


async def test_a_loop_that_turns_no_more_is_told() -> None:
    async def answers() -> bool:
        return True

    loop, readiness = asyncio.get_running_loop(), Readiness(answers)
    found: list[tuple[str, bytes]] = []
    thread = threading.Thread(target=lambda: found.append(get("/health", loop, readiness)))
    thread.start()
    thread.join()  # The loop waits here, and answers nobody.
    assert found[0][0] == "503 Service Unavailable"
    assert b'"stuck"' in found[0][1]
