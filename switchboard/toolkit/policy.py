"""Carries out what a policy says: each decision is journaled, logged and counted once, and POLICY says what it does.

Only for rules that the business may decide otherwise. What is impossible (money that is not there, an account that
does not exist) is refused by `switchboard.toolkit.rpc.allowed`, whatever POLICY says.
"""

import logging
from functools import cache

import prometheus_client
import restate

from switchboard.runtime.settings import load
from switchboard.telemetry.logs import private
from switchboard.toolkit.refusal import Refusal, by_rule
from switchboard.toolkit.settings import PolicyMode, PolicySettings

DECISIONS = prometheus_client.Counter(
    "switchboard_policy_decisions",
    "Decisions of the written policies: the rule that forbids (none when none does), and what became of it.",
    ("rule", "decision"),
)

logger = logging.getLogger(__name__)


@cache
def policy_mode() -> PolicyMode:
    """What POLICY says; read once a process. Ends the process when it says something else."""
    return load(PolicySettings).mode


async def judge(ctx: restate.Context, name: str, refusal: Refusal | None) -> None:
    """Raise TerminalError with the rule's words and number when `refusal` stands; `name` is what was asked for."""
    if refusal is not None and await stands(ctx, name, refusal):
        why = by_rule(refusal.why, refusal.rule)
        raise restate.TerminalError(why, status_code=refusal.status_code, metadata={"rule": refusal.rule})
    if refusal is None:
        await stands(ctx, name, None)


async def stands(ctx: restate.Context, name: str, refusal: Refusal | None) -> bool:
    """Whether a refusal counts. Journaled, so that a deploy with another POLICY changes nothing that was decided."""
    return await ctx.run_typed(f"policy {name}", weigh, restate.RunOptions(type_hint=bool), name, refusal)


async def weigh(name: str, refusal: Refusal | None) -> bool:
    mode = policy_mode()
    if refusal is None:
        DECISIONS.labels(rule="none", decision="allowed").inc()
        return False
    decision = "refused" if mode == "enforce" else "let_pass"
    DECISIONS.labels(rule=refusal.rule or "none", decision=decision).inc()
    if mode != "off":
        logger.warning("policy %s: %s is %s: %s", refusal.rule, name, decision, private(refusal.why))
    return mode == "enforce"
