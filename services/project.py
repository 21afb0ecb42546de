"""The reference mesh as a project, for what starts it: evaluations, measurements and tests."""

from functools import cache
from pathlib import Path

from switchboard.runtime.mesh_file import MeshProject


@cache
def reference() -> MeshProject:
    """Return the reference mesh: this repository's mesh.toml. Raises MeshFileError."""
    return MeshProject.find(Path(__file__).parent)
