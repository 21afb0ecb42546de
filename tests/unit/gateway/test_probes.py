"""Probes: they do not load Restate, and they notice a blocked event loop."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from switchboard.gateway.probes import Readiness, probe_pages
from switchboard.gateway.problems import Problem

SOON = timedelta(milliseconds=50)
IN_TIME = timedelta(seconds=30)


def others(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"a page of others"]


def get(
    path: str, loop: asyncio.AbstractEventLoop, readiness: Readiness, within: timedelta = IN_TIME
) -> tuple[str, bytes]:
    """Return the status line and the body that another thread gets."""
    statuses: list[str] = []
    page = probe_pages(readiness, loop, others, within)
    body = page({"PATH_INFO": path}, lambda status, headers, error=None: statuses.append(status))  # type: ignore
    return statuses[0], b"".join(body)


async def test_concurrent_probes_share_one_health_check() -> None:
    checks = 0

    async def healthy() -> bool:
        nonlocal checks
        checks += 1
        await asyncio.sleep(0)
        return True

    readiness = Readiness(healthy)
    await asyncio.gather(*(readiness.check() for _ in range(100)))
    assert checks == 1


async def test_readiness_is_checked_again_after_the_cache_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.gateway.probes.CACHE_LIFETIME", timedelta(0))
    results = [True, False]

    async def healthy() -> bool:
        return results.pop(0)

    readiness = Readiness(healthy)
    await readiness.check()
    with pytest.raises(Problem) as unavailable:
        await readiness.check()
    assert unavailable.value.code == "restate_away"


async def test_probe_pages_answer_from_another_thread() -> None:
    async def healthy() -> bool:
        return True

    loop, readiness = asyncio.get_running_loop(), Readiness(healthy)
    assert await asyncio.to_thread(get, "/health", loop, readiness) == ("200 OK", b'{"status":"ok"}')
    assert await asyncio.to_thread(get, "/ready", loop, readiness) == ("200 OK", b'{"status":"ok"}')
    assert (await asyncio.to_thread(get, "/metrics", loop, readiness))[1] == b"a page of others"
    readiness.stopping = True
    status, content = await asyncio.to_thread(get, "/ready", loop, readiness)
    assert status == "503 Service Unavailable"
    assert b'"stopping"' in content


async def test_probe_reports_a_blocked_event_loop() -> None:
    async def healthy() -> bool:
        return True

    loop, readiness = asyncio.get_running_loop(), Readiness(healthy)
    found: list[tuple[str, bytes]] = []
    thread = threading.Thread(target=lambda: found.append(get("/health", loop, readiness, SOON)))
    thread.start()
    thread.join()  # This blocks the event loop.
    assert found[0][0] == "503 Service Unavailable"
    assert b'"stuck"' in found[0][1]
