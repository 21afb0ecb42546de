"""Parts that a test needs and a machine may lack: named when the test skips, a failure where all are required."""

import os

import pytest

REQUIRE_ALL = "REQUIRE_ALL"


def need(part: str, found: object, mend: str) -> None:
    """Go on when the part is there; else skip, or with REQUIRE_ALL=1 fail, saying which part and what brings it."""
    if found:
        return
    why = f"needs {part}, which is not on this machine; {mend}"
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
