"""A `Toolset` for tests. The probe agent lists its tools, and the probe tools' process serves them."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from restate import ObjectContext, ObjectSharedContext

from switchboard import FromIdentity, Toolset, WireModel
from switchboard.toolkit.refusal import NOT_FOUND, Refusal
from switchboard.toolkit.rpc import allowed

REPORTS = "reports"

PolicyNumber = Annotated[str, Field(description="The policy's number.", pattern="^P-[0-9]$", examples=["P-1"])]


class Policy(WireModel):
    """An insurance policy with its damage reports."""

    holder: str
    number: str
    reports: tuple[str, ...]


class Receipt(WireModel):
    """Confirms that a report was filed."""

    report_id: str
    amount: Decimal
    reports_total: int


policies = Toolset("ProbePolicies", keyed_by="customer_id")


@policies.tool(read_only=True)
async def get_policy(ctx: ObjectSharedContext, number: PolicyNumber) -> Policy:
    """What a policy covers,
    and until when.

    The model does not see this paragraph.
    """
    reports = await ctx.get(REPORTS, type_hint=list[str]) or []
    if number != "P-1":
        allowed(Refusal(f"There is no policy {number} among yours.", NOT_FOUND))
    return Policy(holder=ctx.key(), number=number, reports=tuple(reports))


@policies.tool(consent=lambda call: f"Report damage of {call.amount} EUR?", label="report the damage")
async def report_damage(
    ctx: ObjectContext,
    amount: Annotated[Decimal, Field(gt=0)],
    session_id: Annotated[str, FromIdentity("session_id")],
    note: str = "",
) -> Receipt:
    """Report damage to the insurer."""
    reports = await ctx.get(REPORTS, type_hint=list[str]) or []
    report = f"{session_id}: {amount} EUR {note}".strip()
    ctx.set(REPORTS, [*reports, report])
    return Receipt(report_id=str(ctx.uuid()), amount=amount, reports_total=len(reports) + 1)


async def policy_to_cancel(ctx: ObjectContext | ObjectSharedContext, number: PolicyNumber) -> Policy:
    if number != "P-1":
        allowed(Refusal(f"There is no policy {number} that you could cancel.", NOT_FOUND))
    reports = await ctx.get(REPORTS, type_hint=list[str]) or []
    return Policy(holder=ctx.key(), number=number, reports=tuple(reports))


@policies.tool(
    check=policy_to_cancel,
    consent=lambda call, policy: f"Cancel policy {call.number} of {policy.holder}, with {len(policy.reports)} reports?",
    label="cancel the policy",
)
async def cancel_policy(ctx: ObjectContext, number: PolicyNumber) -> str:
    """Cancel a policy."""
    await policy_to_cancel(ctx, number)
    return f"Cancelled {number}."


@policies.tool(read_only=True, verified=False)
async def policy_kinds(ctx: ObjectSharedContext) -> str:
    """The kinds of policies that there are."""
    return "Household and travel."
