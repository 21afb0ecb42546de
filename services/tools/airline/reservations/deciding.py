"""Asks the policy before a write: journaled, logged and counted, as the settings want it kept."""

import logging
from collections.abc import Callable

import restate

from switchboard.messages import Wire
from switchboard.telemetry.logs import private
from switchboard.toolkit.policy import DECISIONS, policy_mode
from switchboard.toolkit.refusal import CONFLICT, Refusal, by_rule

logger = logging.getLogger(__name__)

Judge = Callable[[], Refusal | None]


class Decision(Wire):
    """What the policy says to a write, and what becomes of it: `let_pass` is forbidden, and done nevertheless."""

    function: str
    mode: str
    decision: str
    rule: str = ""
    why: str = ""
    status_code: int = CONFLICT


ONCE = restate.RunOptions[Decision](type_hint=Decision)


async def decide(ctx: restate.Context, user_id: str, function: str, may: Judge, can: Judge) -> Decision:
    """Whether the write may be made, with `may` all rules, and `can` those without which it makes no sense.

    Raises TerminalError with the rule's words and number for what is refused.
    """
    decision = await ctx.run_typed(f"policy {function}", decided, ONCE, user_id, function, may, can)
    if decision.decision == "refused":
        why = by_rule(decision.why, decision.rule)
        raise restate.TerminalError(why, status_code=decision.status_code, metadata={"rule": decision.rule})
    return decision


async def decided(user_id: str, function: str, may: Judge, can: Judge) -> Decision:
    """Inside of the journal's run, so that a replay neither logs nor counts it again."""
    mode = policy_mode()
    decision = judged(function, mode, may() if mode != "off" else None, can() if mode != "enforce" else None)
    DECISIONS.labels(rule=decision.rule or "none", decision=decision.decision).inc()
    if decision.decision != "allowed":
        logger.warning("policy %s, customer %s: %s by rule %s: %s", *said(decision, user_id))
    return decision


def judged(function: str, mode: str, forbidden: Refusal | None, impossible: Refusal | None) -> Decision:
    """What is impossible is refused in any mode; what is forbidden, when the policy is enforced."""
    refusal = impossible or forbidden
    if refusal is None:
        return Decision(function=function, mode=mode, decision="allowed")
    return Decision(
        function=function,
        mode=mode,
        decision="refused" if impossible or mode == "enforce" else "let_pass",
        rule=refusal.rule,
        why=refusal.why,
        status_code=refusal.status_code,
    )


def said(decision: Decision, user_id: str) -> tuple[str, str, str, str, str]:
    return decision.function, user_id, decision.decision, decision.rule or "none", private(decision.why)
