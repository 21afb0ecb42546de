"""Starts, watches and ends the processes of a local mesh. Nothing that it starts outlives it."""

import asyncio
import contextlib
import ctypes
import errno
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import aiohttp

from switchboard.retry import poll

START_TIMEOUT = timedelta(seconds=60)
STOP_TIMEOUT = timedelta(seconds=10)
PROBE_INTERVAL = timedelta(milliseconds=50)
LOG_TAIL_LINES = 8
TRACEBACK = "Traceback (most recent call last)"
TRACEBACK_MAX_LINES = 200

PR_SET_PDEATHSIG = 1  # prctl(2)

DRAWN_PORTS = range(20_000, 32_000)
"""Below the ports of outgoing connections: from 32768 on Linux, from 49152 elsewhere."""


class StartFailed(Exception):
    """A part of the mesh could not be started; the message is one sentence for a person, with what to do."""


@dataclass
class Process:
    """One program of the mesh, with its output in a file.

    `health` is the address that answers 200 when it is ready. `folder` is where it is started, this folder by default.
    Start raises StartFailed, with the last lines of the output when the program died.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    health: str
    log: Path
    folder: Path | None = None
    _running: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} was not started"
        return self._running.pid

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.returncode is None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        # Whoever holds the port would answer our probe in its place.
        refuse_taken_port(self.name, self.port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._running = await asyncio.create_subprocess_exec(
                *self.command,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A Ctrl-C at the terminal is ours to handle, in order; the kernel ends them should we be killed.
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        await wait_until(self._ready, START_TIMEOUT, f"{self.name} did not become ready, see {self.log}")

    async def _ready(self) -> bool:
        if not self.alive:
            raise StartFailed(f"{self.name} stopped at start: {self.last_words()} (full output: {self.log})")
        return await answers(self.health)

    def last_words(self) -> str:
        """The end of its output, on one line."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        if any(line.startswith(TRACEBACK) for line in lines[-TRACEBACK_MAX_LINES:]):
            return lines[-1]  # The error itself; the log has the traceback.
        return " / ".join(lines[-LOG_TAIL_LINES:]) or "it printed nothing"

    def how_ended(self, code: int) -> str:
        """In words; a code below zero is the signal that ended it."""
        return f"was killed (signal {-code})" if code < 0 else f"ended by itself (exit code {code})"

    async def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._running is None:
            return
        if self.alive:
            self._running.terminate()
            try:
                await asyncio.wait_for(self._running.wait(), STOP_TIMEOUT.total_seconds())
            except TimeoutError:
                # It may have ended in this very moment.
                with contextlib.suppress(ProcessLookupError):
                    self._running.kill()
        await self._running.wait()

    async def kill(self) -> None:
        """kill -9, as a machine that is lost would."""
        assert self._running is not None, f"{self.name} was not started"
        if self.alive:
            self._running.kill()
        await self._running.wait()

    async def ended(self) -> int:
        """Wait for it to end by itself; its exit code."""
        assert self._running is not None, f"{self.name} was not started"
        return await self._running.wait()


async def first_to_end(processes: Sequence[Process]) -> Process:
    """Wait until one of them ends by itself."""
    waiting = {asyncio.create_task(process.ended()): process for process in processes}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return waiting[done.pop()]


def die_with_parent(parent: int) -> None:
    """Between fork and exec: have the kernel kill this process when its parent is gone. Linux only.

    `parent` is the process that has forked. Were it gone by now, nobody would be told of it any more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


async def answers(url: str) -> bool:
    """True when a GET is answered 200."""
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http, http.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def wait_until(ready: Callable[[], Awaitable[bool]], timeout: timedelta, otherwise: str) -> None:
    """Probe until it holds. Raises StartFailed with `otherwise` when the time is up."""
    if not await poll(ready, PROBE_INTERVAL, timeout):
        raise StartFailed(f"{otherwise} ({timeout.total_seconds():.0f} s).")


def refuse_taken_port(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartFailed(
                f"Port {port}, wanted by {name}, is in use; stop what uses it or choose another."
            ) from error


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody uses just now, and that nobody else is given while this process lives.

    They are drawn by lot from below those that systems give to outgoing connections, which would take them else between
    this answer and the start of what listens there.
    """
    lots = iter(random.sample(DRAWN_PORTS, len(DRAWN_PORTS)))
    found = list(islice(filter(_taken_for_us, lots), count))
    if len(found) == count:
        return found
    drawn = f"{DRAWN_PORTS.start} to {DRAWN_PORTS.stop - 1}"
    raise StartFailed(f"Of the ports {drawn}, {len(found)} are free: {count} needed.")


def _taken_for_us(port: int) -> bool:
    """Kept from other processes that draw, by a name of the kernel's own, which it forgets with this process.

    Other systems than Linux have no such names.
    """
    probe = _bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port))
    if probe is None:
        return False
    probe.close()
    if sys.platform != "linux":
        return True
    name = _bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0switchboard-port-{port}")
    if name is None:
        return False
    _reservations.append(name)
    return True


def _bound(
    family: socket.AddressFamily, kind: socket.SocketKind, address: tuple[str, int] | str
) -> socket.socket | None:
    """Nothing when somebody has that address. Raises OSError for all else, such as too many open files."""
    bound = socket.socket(family, kind)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return None
    return bound


_reservations: list[socket.socket] = []
