"""Policy enforcement: each decision is journaled, logged and counted once, and POLICY says what it does.

Only for rules that the business may decide otherwise. What is impossible (money that is not there, an account that
does not exist) is refused by `switchboard.toolkit.rpc.allowed`, whatever POLICY says.
"""

import logging
from collections.abc import Callable
from functools import cache

import prometheus_client
import restate

from switchboard.messages import WireModel
from switchboard.runtime.settings import load
from switchboard.telemetry.logs import private
from switchboard.toolkit.refusal import CONFLICT, Refusal, by_rule
from switchboard.toolkit.settings import PolicyMode, PolicySettings

DECISIONS = prometheus_client.Counter(
    "switchboard_policy_decisions",
    "Decisions of the written policies: the rule that forbids (none when none does), and what became of it.",
    ("rule", "decision"),
)

logger = logging.getLogger(__name__)

Rules = Callable[[], Refusal | None]
"""Pure: reads nothing but what was read for it before."""


class PolicyDecision(WireModel):
    """What the policy says to an operation, and what becomes of it: `let_pass` is forbidden and done nevertheless."""

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
JOURNALED_VERDICT = restate.RunOptions[bool](type_hint=bool)


@cache
def policy_mode() -> PolicyMode:
    """Return what POLICY says; read once a process. Ends the process when the value is unknown."""
    return load(PolicySettings).mode


async def enforce_policy(
    ctx: restate.Context,
    operation: str,
    forbidden: Refusal | Rules | None,
    impossible: Rules = lambda: None,
    customer_id: str = "",
) -> None:
    """Raise TerminalError with the rule's words and number when the policy refuses an operation.

    The journal entry is `policy <operation>`. Of a refusal that was found before, it holds only whether it applies.
    Rules are applied inside of the entry, which then holds the whole decision with its words. `impossible` are the
    rules without which the operation makes no sense; they apply in any mode. `customer_id` is for the log.
    """
    if not callable(forbidden):
        if await refusal_applies(ctx, operation, forbidden) and forbidden is not None:
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
        )

    made = await ctx.run_typed(f"policy {operation}", decision, JOURNALED_DECISION)
    if made.refused:
        raise policy_error(Refusal(made.why, made.status_code, made.rule))


async def refusal_applies(ctx: restate.Context, operation: str, refusal: Refusal | None) -> bool:
    """Return whether a refusal applies. Journaled, so that a deploy with another POLICY changes no past decision."""

    async def applies() -> bool:
        return record_decision(decide(operation, policy_mode(), refusal)).refused

    return await ctx.run_typed(f"policy {operation}", applies, JOURNALED_VERDICT)


def record_decision(decision: PolicyDecision, customer_id: str = "") -> PolicyDecision:
    """Count and log a decision. Call it inside of the journal's entry, so that a replay does not count it again."""
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
    """Refuse what is impossible in any mode, and what is forbidden when the policy is enforced. Pure."""
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
    """Return the error of a tool that a rule refuses."""
    why = by_rule(refusal.why, refusal.rule)
    return restate.TerminalError(why, status_code=refusal.status_code, metadata={"rule": refusal.rule})
