"""Refuses requests whose headers two servers could read differently (RFC 9110, section 5.3)."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from switchboard.gateway.problems import Problem

SINGLE = ("authorization", "content-type", "host", "idempotency-key")
"""Headers that a request may have once. A proxy and the gateway could each take another one of two."""


def refuse_ambiguous_headers(scope: Mapping[str, Any]) -> None:
    """Raises Problem 400 for a header that is there twice."""
    counted = Counter(name.decode("latin-1").lower() for name, _ in scope["headers"])
    twice = [name for name in SINGLE if counted[name] > 1]
    if twice:
        raise Problem(400, "request_invalid", f"The request has more than one {twice[0]} header. Send one.")
