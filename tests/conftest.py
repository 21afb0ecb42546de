"""The meshes that the tests on real parts share, and which tests are kept together when several processes run them."""

import resource
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.gateway.front import gateway
from tests.laboratory import laboratory
from tests.traces.observatory import observed

__all__ = ["gateway", "laboratory", "observed"]

MESHES = ("observed as it is", "observed always replaying", "as it is", "always replaying")
"""The parameters' ids of the fixtures above, the longer ones first."""

OPEN_FILES_MIN = 8_192
"""A thousand customers at once are a thousand connections; many systems give a process 1,024 files unless it asks."""


def pytest_configure() -> None:
    """Raise the limit of open files; the processes that tests start inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MIN if hard == resource.RLIM_INFINITY else min(OPEN_FILES_MIN, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def group_of(nodeid: str) -> str:
    """All tests on a shared mesh are one group. Otherwise all tests of a file are."""
    path, _, test = nodeid.partition("::")
    parameters = test.partition("[")[2]
    return next((mesh for mesh in MESHES if mesh in parameters), path)


LONGEST_FIRST = (*MESHES[2:], *MESHES[:2], "tests/evals/test_cases.py", "tests/test_own_mesh.py")
"""Groups that take minutes. They start first, so that the short ones fill the processes at the end."""


def position_of(nodeid: str) -> int:
    """Where a test's group stands in the order of a run."""
    group = group_of(nodeid)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: position_of(item.nodeid))


class ByMesh(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each group to one process, so that its mesh is started once."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


# xdist's own groups are a suffix of a test's id, which pytest 9.2 does not let it add.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByMesh:
    return ByMesh(config, log)
