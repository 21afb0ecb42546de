"""Policy enforcement: journals, logs and counts each policy decision once. The setting POLICY selects the mode.

Use it for rules that a business may choose to suspend. What is impossible (insufficient funds, an unknown account) is
refused in every mode: use `switchboard.toolkit.rpc.allowed` for it.
"""

import logging
from collections.abc import Callable
from functools import cache

import prometheus_client
import restate

from switchboard.messages import WireModel
from switchboard.rule_numbers import with_rule
from switchboard.runtime.settings import load
from switchboard.telemetry.logs import private
from switchboard.toolkit.refusal import CONFLICT, Refusal
from switchboard.toolkit.settings import PolicyMode, PolicySettings

DECISIONS = prometheus_client.Counter(
    "switchboard_policy_decisions",
    "Policy decisions by violated rule (`none` if no rule was violated) and outcome.",
    ("rule", "decision"),
)

logger = logging.getLogger(__name__)

Rules = Callable[[], Refusal | None]
"""Applies rules and returns the refusal, if any. Pure: it only uses data that was read before."""


class PolicyDecision(WireModel):
    """The policy's decision on an operation: `allowed`, `refused`, or `let_pass` (forbidden, but done anyway)."""

    function: str
    mode: str
    decision: str
    rule: str = ""
    why: str = ""
    status_code: int = CONFLICT

    @property
    def refused(self) -> bool:
        return self.decision == "refused"


JOURNALED_DECISION = restate.RunOptions[PolicyDecision](type_hint=PolicyDecision)
JOURNALED_BOOL = restate.RunOptions[bool](type_hint=bool)


@cache
def policy_mode() -> PolicyMode:
    """Return the value of POLICY, read once per process. Ends the process if the value is invalid."""
    return load(PolicySettings).mode


async def enforce_policy(
    ctx: restate.Context,
    operation: str,
    forbidden: Refusal | Rules | None,
    impossible: Rules = lambda: None,
    customer_id: str = "",
    checking: bool = False,
) -> None:
    """Raise TerminalError with the refusal's text and rule number if the policy refuses the operation.

    `forbidden` is either a refusal that was found before, or the rules to apply. The decision is journaled as
    `policy <operation>`: for a refusal only whether it applies, for rules the whole decision with its text.
    `impossible` are rules that apply in every mode. `customer_id` is only logged. `checking` is True in a check, before
    the customer is asked: only a refusal counts then, because the same call is decided on again when it runs.
    """
    if not callable(forbidden):
        if await refusal_applies(ctx, operation, forbidden, checking) and forbidden is not None:
            raise policy_error(forbidden)
        return

    async def decision() -> PolicyDecision:
        mode = policy_mode()
        return record_decision(
            decide(
                operation,
                mode,
                forbidden() if mode != "off" else None,
                impossible() if mode != "enforce" else None,
            ),
            customer_id,
            checking,
        )

    made = await ctx.run_typed(f"policy {operation}", decision, JOURNALED_DECISION)
    if made.refused:
        raise policy_error(Refusal(made.why, made.status_code, made.rule))


async def refusal_applies(
    ctx: restate.Context, operation: str, refusal: Refusal | None, checking: bool = False
) -> bool:
    """Return whether the refusal applies in the current mode.

    The result is journaled, so that a deploy with another POLICY does not change past decisions.
    """

    async def applies() -> bool:
        return record_decision(decide(operation, policy_mode(), refusal), checking=checking).refused

    return await ctx.run_typed(f"policy {operation}", applies, JOURNALED_BOOL)


def record_decision(decision: PolicyDecision, customer_id: str = "", checking: bool = False) -> PolicyDecision:
    """Count and log a decision. Call it inside a journal entry, so that a replay does not count it again."""
    if checking and not decision.refused:
        return decision
    DECISIONS.labels(rule=decision.rule or "none", decision=decision.decision).inc()
    if decision.refused or (decision.decision == "let_pass" and decision.mode != "off"):
        whose = f" of customer {customer_id}" if customer_id else ""
        logger.warning(
            "policy %s: %s%s is %s: %s",
            *(decision.rule or "none", decision.function, whose, decision.decision, private(decision.why)),
        )
    return decision


def decide(
    operation: str, mode: PolicyMode, forbidden: Refusal | None, impossible: Refusal | None = None
) -> PolicyDecision:
    """Decide on an operation: impossible is refused in every mode, forbidden only in mode `enforce`. Pure."""
    refusal = impossible or forbidden
    if refusal is None:
        return PolicyDecision(function=operation, mode=mode, decision="allowed")
    return PolicyDecision(
        function=operation,
        mode=mode,
        decision="refused" if impossible or mode == "enforce" else "let_pass",
        rule=refusal.rule,
        why=refusal.why,
        status_code=refusal.status_code,
    )


def policy_error(refusal: Refusal) -> restate.TerminalError:
    """Return the error to raise for a refusal, with the rule number in its text and its metadata."""
    why = with_rule(refusal.why, refusal.rule)
    return restate.TerminalError(why, status_code=refusal.status_code, metadata={"rule": refusal.rule})
