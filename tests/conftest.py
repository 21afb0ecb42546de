"""The meshes that the tests on real parts share, and which tests are kept together when several processes run them."""

import pytest

from tests.gateway.front import gateway
from tests.laboratory import laboratory
from tests.traces.observatory import observed

__all__ = ["gateway", "laboratory", "observed"]

SHARED = ("laboratory", "observed")


# Before xdist's own, which reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each shared mesh to one process: all tests on it are a group, and else all of a file."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        meshes = [f"{name} {parameters[name]}" for name in SHARED if name in parameters]
        item.add_marker(pytest.mark.xdist_group(meshes[0] if meshes else str(item.path)))
