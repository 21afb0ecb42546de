"""The pages have a mesh of their own: staff pay out loans there."""

from tests.console.browser import chromium, console
from tests.laboratory import own_laboratory

__all__ = ["chromium", "console", "own_laboratory"]
