"""Call private handlers for evaluations: an agent's tools without a model, as in the agent loop, and the dump."""

import restate

from services.airline.agent import airline
from services.bank.agent import bank
from services.tools.airline.record_dump.contract import AIRLINE_RECORDS, Dump, DumpRequest
from switchboard import serve
from switchboard.loop.checks import check_calls
from switchboard.loop.decide import Act, ApprovedCall, decide, release
from switchboard.loop.fanout import start
from switchboard.messages import HeldCall, Identity, ModelReply, ToolCall, ToolResult, WireModel
from switchboard.runtime.invocations import RETRIES, refuse_bad_input

CALLER = "EvalCaller"

AGENTS = {agent.name: agent for agent in (airline, bank)}

caller = restate.Service(
    CALLER,
    description="Makes an agent's calls for an evaluation.",
    invocation_retry_policy=RETRIES,
    invocation_context_managers=[refuse_bad_input],
)


class PlayedCall(WireModel):
    """A call as a model would write it, and its customer. Calls that need consent count as confirmed."""

    agent: str
    identity: Identity
    tool: str
    arguments: str


@caller.handler()
async def call(ctx: restate.Context, request: PlayedCall) -> ToolResult:
    """Make one call of an agent's tool and return the whole result, which the loop would shorten for a model."""
    agent = AGENTS[request.agent]
    asked = ToolCall(call_id="played", tool=request.tool, arguments=request.arguments)
    decision = decide(ModelReply(agent=agent.name, calls=(asked,)), agent, request.identity, peers=())
    assert isinstance(decision, Act), "a call is neither an answer nor, without peers, a hand-off"
    (checked,) = (await check_calls(ctx, decision.calls, request.identity)).calls
    if isinstance(checked, HeldCall):
        (checked,) = (await check_calls(ctx, [release(checked, agent)], request.identity)).calls
    if isinstance(checked, ToolResult):
        return checked
    assert isinstance(checked, ApprovedCall), "a call is approved or refused, unless it is cancelled during its check"
    try:
        content = await start(ctx, checked, request.identity, decided_ns=0)
    except restate.TerminalError as error:
        return ToolResult(call_id=checked.call_id, ok=False, content=error.message)
    return ToolResult(call_id=checked.call_id, ok=True, content=content.decode())


@caller.handler()
async def dump(ctx: restate.Context, request: DumpRequest) -> Dump:
    """Return the airline's current records."""
    body = request.model_dump_json().encode()
    return Dump.model_validate_json(await ctx.generic_call(AIRLINE_RECORDS, "dump", body))


if __name__ == "__main__":
    serve(caller)
