"""Requirements of tests. Without one, a test is skipped, or fails if REQUIRE_ALL=1."""

import os

import pytest

REQUIRE_ALL = "REQUIRE_ALL"


def need(part: str, found: object, fix: str) -> None:
    """Skip the test if `found` is false, or fail it with REQUIRE_ALL=1. The message names the part and the fix."""
    if found:
        return
    why = f"needs {part}, which is not installed on this machine; {fix}"
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
