"""The pages have a mesh of their own: staff pay out loans there."""

from tests.laboratory import own_laboratory

__all__ = ["own_laboratory"]
