"""The one mesh that the tests on real parts share."""

from tests.laboratory import laboratory
from tests.traces.observatory import observed

__all__ = ["laboratory", "observed"]
