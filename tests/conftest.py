"""The one mesh that the tests on real parts share."""

from tests.laboratory import laboratory

__all__ = ["laboratory"]
