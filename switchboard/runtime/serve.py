"""From declared services to a process that Restate can call, with /metrics and /health beside them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import prometheus_client
import restate
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from restate.server import install_shutdown_hook

from switchboard.agent import Agent
from switchboard.loop.turn import run_turn
from switchboard.messages import TurnOutcome, TurnRequest
from switchboard.models.model import Model
from switchboard.models.responses import ResponsesModel, connect
from switchboard.runtime.invocations import RETRIES, refuse_bad_input
from switchboard.runtime.process import leave, refuse_taken_port
from switchboard.runtime.settings import ModelSettings, ServerSettings, load
from switchboard.telemetry import metrics
from switchboard.telemetry.setup import set_up_telemetry
from switchboard.telemetry.spans import CONVERSATION, describe, traced

STOP_GRACE = timedelta(seconds=5)
"""After SIGTERM; what still runs then is retried by Restate elsewhere."""

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Beside = Callable[[], Coroutine[Any, Any, None]]
AnyService = restate.Service | restate.VirtualObject | restate.Workflow


def serve_agent(agent: Agent) -> None:
    """Run an agent as a Restate service until SIGTERM. The environment says where and with which model."""
    serve([agent_service(agent, models_from_environment())], agent.name.lower())


def models_from_environment() -> list[Model]:
    """The model and its fallbacks, in the order in which they are tried. Ends the process when a setting is missing."""
    settings = load(ModelSettings)
    client = connect(settings.api_key.get_secret_value(), str(settings.base_url) if settings.base_url else None)
    queue = asyncio.Semaphore(settings.calls_max)
    return [ResponsesModel(client, name, queue) for name in (settings.model, *settings.fallback_models)]


def agent_service(agent: Agent, models: Sequence[Model]) -> restate.Service:
    """The agent as a Restate service. Its metadata is what makes the sessions find it."""
    service = restate.Service(
        agent.name,
        description=agent.handles,
        metadata={"switchboard.role": "agent"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced("invoke_agent"), refuse_bad_input],
    )

    @service.handler()
    async def take_turn(ctx: restate.Context, request: TurnRequest) -> TurnOutcome:
        """Answer one message of a conversation, or name the agent who should."""
        describe({CONVERSATION: request.identity.session_id})
        outcome = await run_turn(ctx, agent, models, request)
        metrics.turn_over(agent.name, outcome)
        return outcome

    return service


def serve(services: Sequence[AnyService], name: str = "", beside: Beside | None = None) -> None:
    """Serve Restate services until SIGTERM or SIGINT; ends with a sentence and exit code 1 if the port is taken.

    `name` is the process's in traces; by default its first service's. `beside` runs in the same loop meanwhile.
    """
    settings = load(ServerSettings)
    set_up_telemetry(name or services[0].name.lower(), settings)
    refuse_taken_port(settings.host, settings.port)
    keys = [settings.restate_identity_key] if settings.restate_identity_key else None
    app = with_metrics(restate.app(services=services, identity_keys=keys))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(app, settings, beside))


async def listen(app: ASGIApp, settings: ServerSettings, beside: Beside | None = None) -> None:
    # One process, one loop: what is killed is the service, whole, and `replicas` is the one way to scale it.
    server = Server(app, address=settings.host, port=settings.port, interface=Interfaces.ASGINL, log_enabled=False)
    loop = asyncio.get_running_loop()
    # Through the SDK's own hooks: it takes SIGTERM for itself at the first request, and would silence another handler.
    for signum in (2, 15):
        install_shutdown_hook(loop, lambda: stop(server, loop), signum)
    work = asyncio.create_task(beside()) if beside else None
    try:
        await server.serve()
    finally:
        if work is not None:
            work.cancel()


def stop(server: Server, loop: asyncio.AbstractEventLoop) -> None:
    """Take no more requests, and leave after the grace: Restate's idle connections would hold us for minutes."""
    server.stop()  # type: ignore[no-untyped-call]  # granian's embedded server is not annotated
    loop.call_later(STOP_GRACE.total_seconds(), leave)


def with_metrics(app: ASGIApp) -> ASGIApp:
    """`/metrics` goes to Prometheus' client, all else (also `/health`) to Restate's SDK."""
    metrics = prometheus_client.make_asgi_app()

    async def route(scope: Any, receive: Any, send: Any) -> None:
        await (metrics if scope.get("path") == "/metrics" else app)(scope, receive, send)

    return route
