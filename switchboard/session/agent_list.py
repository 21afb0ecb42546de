"""The list of the mesh's agents, for the gateway: what Restate's registry says about them."""

import restate

from switchboard.runtime.invocations import NOTHING_RETAINED, RETRIES, refuse_bad_input
from switchboard.runtime.speaker_check import signed_requests
from switchboard.session.contract import AGENT_LIST, Agents, AgentsRequest
from switchboard.session.directory import Directory
from switchboard.session.hops import LOOK_UP_OPTIONS, look_up_agents
from switchboard.speaker import SpeakerKeys
from switchboard.telemetry.spans import traced


def agent_list(directory: Directory, speaker: SpeakerKeys | None) -> restate.Service:
    """Return the service. `speaker` verifies that the gateway asks."""
    service = restate.Service(
        AGENT_LIST,
        description="The agents of the mesh, for its gateway.",
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), refuse_bad_input, signed_requests(speaker)],
    )

    @service.handler(**NOTHING_RETAINED)
    async def cards(ctx: restate.Context, _: AgentsRequest) -> Agents:
        """Return what the agents say about themselves."""
        found = await ctx.run_typed("agents", look_up_agents, LOOK_UP_OPTIONS, directory)
        return Agents(cards=found.cards)

    return service
