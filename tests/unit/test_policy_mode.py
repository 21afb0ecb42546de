"""What POLICY makes of a refusal: it binds, it is logged, or it passes; each decision is counted once."""

import logging

import prometheus_client
import pytest

from switchboard.toolkit import policy as judge
from switchboard.toolkit.refusal import Refusal

TOO_MUCH = Refusal("Too much.", rule="T1")


def counted(rule: str, decision: str) -> float:
    labels = {"rule": rule, "decision": decision}
    return prometheus_client.REGISTRY.get_sample_value("switchboard_policy_decisions_total", labels) or 0.0


@pytest.mark.parametrize(
    ("mode", "stands", "decision", "logged"),
    [("enforce", True, "refused", True), ("log", False, "let_pass", True), ("off", False, "let_pass", False)],
)
async def test_policy_says_what_a_refusal_counts(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    stands: bool,
    decision: str,
    logged: bool,
) -> None:
    monkeypatch.setattr(judge, "policy_mode", lambda: mode)
    before, allowed = counted("T1", decision), counted("none", "allowed")
    with caplog.at_level(logging.WARNING):
        assert await judge.weigh("transfer", TOO_MUCH) is stands
    assert counted("T1", decision) == before + 1
    assert ("policy T1: transfer is" in caplog.text) is logged
    assert await judge.weigh("transfer", None) is False
    assert counted("none", "allowed") == allowed + 1


def test_a_policy_that_is_none_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLICY", "perhaps")
    judge.policy_mode.cache_clear()
    with pytest.raises(SystemExit):
        judge.policy_mode()
    assert "POLICY" in capsys.readouterr().err
