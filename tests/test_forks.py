"""A forked service is a process as a started one is: its environment, log, exit code and death are its own."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from switchboard.local.process import Process, StartFailed, free_ports
from tests import forks
from tests.parts import PROJECT

pytestmark = pytest.mark.skipif(not forks.possible(), reason="needs Linux")

PARENT = """
import asyncio, sys, os
from pathlib import Path
from tests import forks
from tests.test_forks import model_in
async def main():
    process, source = model_in(Path(sys.argv[1])), forks.Source(preloaded=())
    forks.source = lambda: source
    forks.install()
    await process.start()
    print(process.pid, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


def model_in(folder: Path, module: str = "switchboard.demo_model", **environment: str) -> Process:
    (port,) = free_ports(1)
    return Process(
        name="model",
        command=[sys.executable, "-m", module],
        environment={"HOST": "127.0.0.1", "PORT": str(port), **environment},
        port=port,
        health=f"http://127.0.0.1:{port}/health",
        log=folder / "model.log",
        folder=PROJECT,
        inherited={"PATH": "/nowhere"},
    )


@pytest.fixture(params=["fork", "program"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Process]:
    """Every test is also one of started programs, which forks must equal."""
    monkeypatch.setattr(Process, "_launch", forks.launch if request.param == "fork" else forks.start_program)
    return lambda *more, **environment: model_in(tmp_path, *more, **environment)


async def test_process_has_its_own_environment_session_and_folder(model: Callable[..., Process]) -> None:
    process = model(SWITCHBOARD_NOTE="mine")
    await process.start()
    try:
        assert process.alive
        seen = psutil.Process(process.pid)
        assert (seen.cwd(), seen.num_fds() > 0, seen.pid != psutil.Process().pid) == (str(PROJECT), True, True)
    finally:
        await process.stop()
    assert not process.alive
    assert not psutil.pid_exists(process.pid)
    assert await process.wait() == 0


async def test_killed_process_is_gone_and_starts_again(model: Callable[..., Process]) -> None:
    process = model()
    await process.start()
    first = process.pid
    waiting = [asyncio.create_task(process.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    await process.kill()
    assert [await each for each in waiting] == [-signal.SIGKILL] * 2
    assert not psutil.pid_exists(first)
    await process.start()
    assert process.alive
    assert process.pid != first
    await process.stop()


@pytest.mark.parametrize(
    ("environment", "said"), [({"PORT": "many"}, "PORT"), ({"HOST": "no such host"}, "no such host")], ids=repr
)
async def test_failure_at_start_is_in_the_log(
    model: Callable[..., Process], environment: dict[str, str], said: str
) -> None:
    process = model(**environment)
    with pytest.raises(StartFailed, match="exited at start"):
        await process.start()
    assert await process.wait() == 1
    assert said in process.log.read_text()


async def test_module_that_does_not_exist_ends_with_an_error(model: Callable[..., Process]) -> None:
    process = model("switchboard.no_such_module")
    with pytest.raises(StartFailed, match=r"No module named switchboard\.no_such_module"):
        await process.start()
    assert await process.wait() == 1


def test_forks_die_with_the_tests_that_started_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(timeout=60)
    assert not psutil.pid_exists(child)


def test_modules_of_other_projects_are_started_as_programs(tmp_path: Path) -> None:
    ours = model_in(tmp_path)
    assert forks.can_be_forked(ours)
    ours.folder = tmp_path
    assert not forks.can_be_forked(ours)
    assert not forks.can_be_forked(model_in(tmp_path, "front"))
