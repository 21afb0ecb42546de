"""What becomes of a write that the policy forbids, and of one that is impossible, in each mode."""

import pytest

from services.tools.airline.reservations.deciding import judged
from switchboard.toolkit.refusal import Refusal

FORBIDDEN, IMPOSSIBLE = Refusal("Not allowed.", rule="X3"), Refusal("No seat.", 404, "B2")


@pytest.mark.parametrize(
    ("mode", "forbidden", "impossible", "decision", "rule"),
    [
        ("enforce", None, None, "allowed", ""),
        ("enforce", FORBIDDEN, None, "refused", "X3"),
        ("log", None, None, "allowed", ""),
        ("log", FORBIDDEN, None, "let_pass", "X3"),
        ("log", FORBIDDEN, IMPOSSIBLE, "refused", "B2"),
        ("off", None, IMPOSSIBLE, "refused", "B2"),
        ("off", None, None, "allowed", ""),
    ],
)
def test_what_is_impossible_is_refused_in_any_mode(
    mode: str, forbidden: Refusal | None, impossible: Refusal | None, decision: str, rule: str
) -> None:
    found = judged("may_cancel", mode, forbidden, impossible)
    assert (found.decision, found.rule, found.mode) == (decision, rule, mode)
