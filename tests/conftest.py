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
    """What the tests start inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MIN if hard == resource.RLIM_INFINITY else min(OPEN_FILES_MIN, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def group_of(nodeid: str) -> str:
    """All tests on a shared mesh are one group, and else all of a file."""
    path, _, test = nodeid.partition("::")
    parameters = test.partition("[")[2]
    return next((mesh for mesh in MESHES if mesh in parameters), path)


class ByMesh(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each group to one process: nobody else starts its mesh."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


# xdist's own groups are a suffix of a test's id, which pytest 9.2 does not let it add.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByMesh:
    return ByMesh(config, log)
