"""A mesh with a collector and Jaeger, which ends with the tests of traces."""

from tests.traces.observatory import observed

__all__ = ["observed"]
