"""Policy enforcement: the effect of each mode, metrics, logs and journal entries."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import prometheus_client
import pytest
import restate
from pydantic import TypeAdapter

from switchboard.toolkit import policy
from switchboard.toolkit.policy import decide, enforce_policy, refusal_applies
from switchboard.toolkit.refusal import Refusal
from switchboard.toolkit.settings import PolicyMode

TOO_MUCH = Refusal("Too much.", rule="T1")
FORBIDDEN, IMPOSSIBLE = Refusal("Not allowed.", rule="X3"), Refusal("No seat.", 404, "B2")


class Journal:
    """Runs each entry and records its name and JSON, like Restate's journal."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []

    async def run_typed(self, name: str, action: Callable[[], Awaitable[Any]], options: Any) -> Any:
        adapter = TypeAdapter(options.type_hint)
        written = adapter.dump_json(await action())
        self.entries.append((name, adapter.dump_python(adapter.validate_json(written), mode="json")))
        return adapter.validate_json(written)


def counted(rule: str, decision: str) -> float:
    labels = {"rule": rule, "decision": decision}
    return prometheus_client.REGISTRY.get_sample_value("switchboard_policy_decisions_total", labels) or 0.0


@pytest.fixture
def journal() -> Any:
    return Journal()


@pytest.mark.parametrize(
    ("mode", "applies", "decision", "logged"),
    [("enforce", True, "refused", True), ("log", False, "let_pass", True), ("off", False, "let_pass", False)],
)
async def test_refusal_is_counted_and_logged_by_mode(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    journal: Any,
    mode: str,
    applies: bool,
    decision: str,
    logged: bool,
) -> None:
    monkeypatch.setattr(policy, "policy_mode", lambda: mode)
    before, allowed = counted("T1", decision), counted("none", "allowed")
    with caplog.at_level(logging.WARNING):
        assert await refusal_applies(journal, "transfer", TOO_MUCH) is applies
    assert counted("T1", decision) == before + 1
    assert ("policy T1: transfer is" in caplog.text) is logged
    assert await refusal_applies(journal, "transfer", None) is False
    assert counted("none", "allowed") == allowed + 1


async def test_refusal_found_before_is_journaled_as_bool(monkeypatch: pytest.MonkeyPatch, journal: Any) -> None:
    monkeypatch.setattr(policy, "policy_mode", lambda: "enforce")
    await enforce_policy(journal, "transfer", None)
    with pytest.raises(restate.TerminalError, match=r"Too much. \(rule T1\)") as raised:
        await enforce_policy(journal, "transfer", TOO_MUCH)
    assert (raised.value.status_code, raised.value.metadata) == (409, {"rule": "T1"})
    assert journal.entries == [("policy transfer", False), ("policy transfer", True)]


async def test_rules_are_journaled_with_the_whole_decision(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, journal: Any
) -> None:
    monkeypatch.setattr(policy, "policy_mode", lambda: "enforce")
    with caplog.at_level(logging.WARNING), pytest.raises(restate.TerminalError, match=r"Not allowed. \(rule X3\)"):
        await enforce_policy(journal, "may_cancel", lambda: FORBIDDEN, customer_id="dave")
    assert "policy X3: may_cancel of customer dave is refused: " in caplog.text
    decision = {"function": "may_cancel", "mode": "enforce", "decision": "refused", "rule": "X3"}
    assert journal.entries == [("policy may_cancel", {**decision, "why": "Not allowed.", "status_code": 409})]


@pytest.mark.parametrize(
    ("mode", "decision", "counts"), [("enforce", "refused", 1), ("log", "let_pass", 0), ("off", "allowed", 0)]
)
async def test_check_counts_and_logs_a_refusal_only(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    journal: Any,
    mode: str,
    decision: str,
    counts: int,
) -> None:
    monkeypatch.setattr(policy, "policy_mode", lambda: mode)
    rule = "none" if mode == "off" else "X3"
    before = counted(rule, decision)
    with caplog.at_level(logging.WARNING):
        try:
            await enforce_policy(journal, "may_cancel", lambda: FORBIDDEN, checking=True)
        except restate.TerminalError:
            assert mode == "enforce"
    assert counted(rule, decision) == before + counts
    assert ("policy X3: may_cancel" in caplog.text) is bool(counts)
    assert [entry["decision"] for _, entry in journal.entries] == [decision]


async def test_rules_are_not_applied_when_policy_is_off(monkeypatch: pytest.MonkeyPatch, journal: Any) -> None:
    monkeypatch.setattr(policy, "policy_mode", lambda: "off")
    await enforce_policy(journal, "may_cancel", lambda: FORBIDDEN)
    with pytest.raises(restate.TerminalError, match="No seat"):
        await enforce_policy(journal, "may_cancel", lambda: FORBIDDEN, impossible=lambda: IMPOSSIBLE)
    assert [entry["decision"] for _, entry in journal.entries] == ["allowed", "refused"]


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
def test_impossible_operation_is_refused_in_every_mode(
    mode: PolicyMode, forbidden: Refusal | None, impossible: Refusal | None, decision: str, rule: str
) -> None:
    found = decide("may_cancel", mode, forbidden, impossible)
    assert (found.decision, found.rule, found.mode) == (decision, rule, mode)


def test_invalid_policy_mode_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLICY", "perhaps")
    policy.policy_mode.cache_clear()
    with pytest.raises(SystemExit):
        policy.policy_mode()
    assert "POLICY" in capsys.readouterr().err
