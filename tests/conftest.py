"""The meshes that the tests on real parts share, which tests are kept together when several processes run them, and
which tests are left to nightly runs."""

import gc
import resource
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import forks
from tests.gateway.front import gateway
from tests.laboratory import laboratory
from tests.postgres import postgres

__all__ = ["gateway", "laboratory", "postgres"]

MESHES = ("observed as it is", "observed always replaying", "as it is", "always replaying")
"""The parameters' ids of the fixtures `observed` and `laboratory`, the longer ones first."""

OPEN_FILES_MIN = 8_192
"""A thousand customers at once are a thousand connections; many systems give a process 1,024 files unless it asks."""


def pytest_configure(config: pytest.Config) -> None:
    """Raise the limit of open files; the processes that tests start inherit it. Services are forks.

    Slow machines fail no property. Properties are checked on the same examples in each run, and on new ones at night.
    """
    nightly = config.getoption("markexpr") == ""
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "switchboard", deadline=None, derandomize=not nightly, suppress_health_check=slow
    )
    hypothesis.settings.load_profile("switchboard")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MIN if hard == resource.RLIM_INFINITY else min(OPEN_FILES_MIN, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    forks.install()


TOGETHER = ("tests/attacks", "tests/images", "tests/mcp", "tests/remote")
"""The files of each of these folders share a mesh, or the images that they build."""


OWN_MESHES = ("tests/console", "tests/chaos/test_interrupts.py", "tests/chaos/test_random_faults.py")
"""Folders and files with an `own_laboratory`. So another process can run them than those on the shared mesh."""


def mesh_of(nodeid: str) -> str | None:
    """Return the kind of the mesh on which a test runs, if it has one of these fixtures."""
    parameters = nodeid.partition("[")[2]
    return next((mesh for mesh in MESHES if mesh in parameters), None)


def group_of(nodeid: str) -> str:
    """All tests on a shared mesh are one group, or of a folder whose files share something. Otherwise a file's are."""
    path = nodeid.partition("::")[0]
    own = next((each for each in OWN_MESHES if path.startswith(each)), None)
    return own or mesh_of(nodeid) or next((folder for folder in TOGETHER if path.startswith(folder)), path)


LONGEST_FIRST = (
    *(*MESHES[2:], "tests/console", "tests/attacks", "tests/mcp", "tests/chaos/test_interrupts.py"),
    *("tests/models/test_dialects.py", "tests/evals/test_reference.py", "tests/cli/test_up.py", *MESHES[:2]),
    *("tests/evals/test_cases.py", "tests/images", "tests/test_own_mesh.py", "tests/generated/test_conversations.py"),
    # It waits for half a minute until no agent has come.
    "tests/gateway/test_no_agents.py",
)
"""Groups that take a minute or more. They start first, so that the short ones fill the processes at the end."""


def position_of(nodeid: str) -> int:
    """Where a test's group stands in the order of a run."""
    group = group_of(nodeid)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


REPLAYING = "always replaying"
ONCE = {"observed as it is", "as it is"}
"""Each test on these meshes is also a test on the mesh that is always replaying."""

REPLAYED_EVERY = 4
"""Of so many rows, one is played on the mesh that is always replaying: there it takes about half as much CPU again."""

AS_THEY_ARE = {"observed as it is", *OWN_MESHES}
"""Groups of few tests, which all run as they are, so that only one mesh is started. Some of them kill an agent or its
tools, which are then replayed.
"""


def left_to_nightly(nodeids: Iterable[str]) -> set[str]:
    """Return one of the two runs of each test that runs on both kinds of meshes.

    A test's rows take turns, but for those of AS_THEY_ARE: three run as they are, the next one always replaying. Which
    kind its first row gets depends on its name. So a change of one test does not move the others.
    """
    left, rows = set[str](), Counter[str]()
    for nodeid in nodeids:
        mesh = mesh_of(nodeid)
        if mesh not in ONCE:
            continue
        test = nodeid.partition("[")[0]
        replays = (zlib.crc32(test.encode()) + rows[test]) % REPLAYED_EVERY == 0 and group_of(nodeid) not in AS_THEY_ARE
        rows[test] += 1
        left.add(nodeid if replays else nodeid.replace(mesh, mesh.replace("as it is", REPLAYING)))
    return left


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave the modules and tests out of garbage collections: nearly all of them stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def every_second_row(nodeids: Iterable[str]) -> set[str]:
    """Return every second row of each test, on each mesh by itself: the rows have the same order on both."""
    left, rows = set[str](), Counter[tuple[str, str | None]]()
    for nodeid in nodeids:
        test = (nodeid.partition("[")[0], mesh_of(nodeid))
        rows[test] += 1
        if rows[test] % 2 == 0:
            left.add(nodeid)
    return left


def is_halved(item: pytest.Item) -> bool:
    """Whether every second row of the test is left to nightly runs. Rows that are slow anyway do not count."""
    return bool(item.get_closest_marker("half_at_night") and not item.get_closest_marker("slow"))


def chosen_for_nightly(item: pytest.Item) -> bool:
    """Whether a mark `at_night` of the test chooses this row. Its function gets the row's parameters by name."""
    rows = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return any(mark.kwargs["chooses"](**rows) for mark in item.iter_markers("at_night"))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests before pytest deselects by markers, and sort them after it has sorted them by their fixtures."""
    left = every_second_row(item.nodeid for item in items if is_halved(item))
    # The rows that are left take turns on the meshes, or some tests would never be played on one that replays.
    left |= left_to_nightly([item.nodeid for item in items if item.nodeid not in left])
    for item in items:
        if item.nodeid in left or chosen_for_nightly(item):
            item.add_marker(pytest.mark.slow)
    yield
    items.sort(key=lambda item: position_of(item.nodeid))


class ByMesh(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each group to one process, so that its mesh is started once."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


# xdist's own groups are a suffix of a test's id, which pytest 9.2 does not let it add.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByMesh:
    return ByMesh(config, log)
