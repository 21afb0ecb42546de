"""Makes single calls of an agent's tools, judged and filled in as the loop does it, with no model. Evaluations only."""

import restate

from services.airline.agent import airline
from services.bank.agent import bank
from switchboard import serve
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
    """A call as a model would write it, and for whom. What asks for consent has it."""

    agent: str
    identity: Identity
    tool: str
    arguments: str


@caller.handler()
async def call(ctx: restate.Context, request: PlayedCall) -> ToolResult:
    """Make one call of an agent's, and give its result whole: what a model is fed of it may be cut."""
    agent = AGENTS[request.agent]
    asked = ToolCall(call_id="played", tool=request.tool, arguments=request.arguments)
    decision = decide(ModelReply(agent=agent.name, calls=(asked,)), agent, request.identity, peers=())
    assert isinstance(decision, Act), "a call is neither an answer nor, without peers, a hand-off"
    judged = decision.calls[0]
    if isinstance(judged, HeldCall):
        judged = release(judged, agent)
    if not isinstance(judged, ApprovedCall):
        return judged
    try:
        content = await start(ctx, judged, request.identity, decided_ns=0)
    except restate.TerminalError as error:
        return ToolResult(call_id=judged.call_id, ok=False, content=error.message)
    return ToolResult(call_id=judged.call_id, ok=True, content=content.decode())


if __name__ == "__main__":
    serve(caller)
