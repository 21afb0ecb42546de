"""Finds what npm and `make tools` bring: beside the mesh that is used, or beside a checkout of this framework."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds the package: the repository, where the framework runs from a checkout."""


def find_beside(relative: str) -> Path | None:
    """Return the file of that relative path in this folder, in one above it, or in the checkout; None without one."""
    here = Path.cwd()
    for folder in (here, *here.parents, CHECKOUT):
        if (folder / relative).is_file():
            return folder / relative
    return None
