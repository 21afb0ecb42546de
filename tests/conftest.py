"""The meshes that the tests on real parts share, and which tests are kept together when several processes run them."""

import pytest

from tests.laboratory import laboratory
from tests.traces.observatory import observed

__all__ = ["laboratory", "observed"]

SHARED = ("laboratory", "observed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each shared mesh to one process: all tests on it are a group, and else all of a file."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        mesh = next((name for name in SHARED if parameters is not None and name in parameters.params), None)
        if mesh is not None and parameters is not None:
            group = f"{mesh} {parameters.params[mesh]}"
        else:
            group = str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
