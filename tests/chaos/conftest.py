"""The same laboratory as the mesh tests use."""

from tests.mesh.conftest import laboratory

__all__ = ["laboratory"]
