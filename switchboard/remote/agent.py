"""A remote agent as a service of the mesh. A hand-off to it is like one to any other agent.

It gets the customer's message and the note of the hand-off, and no identity: it cannot act as the customer. While it
works, no process waits; the mesh asks how far it is by durable timers. Its answer goes back to the agent that handed
over, as other people's words. Its question goes to the customer.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import restate

from switchboard.agent import AGENT_NAME
from switchboard.messages import TurnOutcome, TurnRequest
from switchboard.remote.peer import Peer
from switchboard.remote.settings import RemoteSettings
from switchboard.remote.wire import Watch
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.runtime.serve import Models, Served, new_agent_service
from switchboard.runtime.settings import is_loopback, load
from switchboard.telemetry.spans import conversation, describe

NO_SDK = (
    "RemoteAgent needs {missing}, which is not installed. Install the extra: `pip install 'switchboard-mesh[a2a]'`."
)


@dataclass(frozen=True)
class RemoteAgent:
    """An agent of others that speaks A2A 1.0.

    ```python
    serve(RemoteAgent(name="Insurer", handles="Travel insurance.", url="https://agents.insurer.example"))
    ```

    Its token is in SWITCHBOARD_REMOTE_TOKENS, by its name.

    Raises:
        ValueError: At import, for an invalid name, an empty description, or an address without https.
    """

    name: str
    """Name of the agent and of its Restate service: a capital letter and up to 47 letters or digits."""

    handles: str
    """One sentence on what the agent handles. Other agents read it to decide whether to hand off to this one."""

    url: str
    """Where its agent card is: the address before `/.well-known/agent-card.json`. Plain http only on this machine."""

    def __post_init__(self) -> None:
        if not AGENT_NAME.fullmatch(self.name):
            raise ValueError(
                f"remote agent {self.name!r}: a name must be a capital letter and up to 47 letters or digits"
            )
        if not self.handles.strip():
            raise ValueError(f"remote agent {self.name}: `handles` is empty. Describe what the agent handles")
        parts = urlsplit(self.url)
        if not parts.hostname or (parts.scheme != "https" and not is_loopback(parts.hostname)):
            raise ValueError(f"remote agent {self.name}: {self.url!r} is not an https address")

    def served(self, models: Models) -> Served:
        """Build the service from the environment's settings."""
        try:
            from switchboard.remote.exchange import Exchange  # noqa: PLC0415 # The SDK is an extra.
        except ModuleNotFoundError as error:
            raise SystemExit(NO_SDK.format(missing=error.name)) from error
        settings = load(RemoteSettings)
        peer = Peer(self.name, Exchange(self.url, settings.tokens.get(self.name), settings.request_timeout), settings)
        return Served((remote_service(self, peer),))


def remote_service(agent: RemoteAgent, peer: Peer) -> restate.Service:
    """Return the agent as a Restate service."""
    service = new_agent_service(agent.name, agent.handles)

    @service.handler()
    async def take_turn(ctx: restate.Context, request: TurnRequest) -> TurnOutcome:
        """Pass a message to the remote agent, and its answer to the agent that handed over."""
        describe(conversation(request.identity.session_id))
        return await peer.take_turn(ctx, request)

    @service.handler(**NOTHING_RETAINED)
    async def watch(ctx: restate.Context, watch: Watch) -> None:
        """Ask once how far the remote agent is, and again later. Its answer is sent to the customer."""
        await peer.watch(ctx, watch)

    @service.handler(**NOTHING_RETAINED)
    async def cancel(ctx: restate.Context, task_id: str) -> None:
        """Cancel a task of the remote agent."""
        await peer.cancel(ctx, task_id)

    return service
