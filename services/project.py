"""Loads the reference mesh as a project, for evaluations, benchmarks and tests."""

from functools import cache
from pathlib import Path

from switchboard.runtime.mesh_file import MeshProject


@cache
def reference() -> MeshProject:
    """Return the project that this repository's mesh.toml describes. Raises MeshFileError."""
    return MeshProject.find(Path(__file__).parent)
