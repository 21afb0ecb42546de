"""Finds files installed by npm and `make tools`, in the mesh's folder or in a checkout of this framework."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that contains the package. In a checkout, that is the repository."""


def find_beside(relative: str) -> Path | None:
    """Return the first such file in the current folder, the folders above it, or the checkout, or None."""
    here = Path.cwd()
    for folder in (here, *here.parents, CHECKOUT):
        if (folder / relative).is_file():
            return folder / relative
    return None
