"""Parts that a test needs and a machine may lack: the test skips, or fails where all parts are required."""

import os

import pytest

REQUIRE_ALL = "REQUIRE_ALL"


def need(part: str, found: object, fix: str) -> None:
    """Return when the part was found. Otherwise skip, or fail with REQUIRE_ALL=1, and name the part and the fix."""
    if found:
        return
    why = f"needs {part}, which is not on this machine; {fix}"
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
