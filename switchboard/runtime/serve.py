"""Serves agents, tools and sessions as a process that Restate can call, with /metrics and /health."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Protocol, runtime_checkable

import prometheus_client
import restate
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from restate.server import install_shutdown_hook

from switchboard.agent import Agent
from switchboard.loop.turn import run_turn
from switchboard.messages import TurnOutcome, TurnRequest
from switchboard.models.connect import connect
from switchboard.models.endpoint_model import EndpointModel
from switchboard.models.model import Model
from switchboard.runtime.broker import BrokerClient
from switchboard.runtime.broker_connection import broker_of_settings
from switchboard.runtime.garbage import leave_out_imports
from switchboard.runtime.gateways import gateways_of_settings
from switchboard.runtime.invocations import RETRIES, refuse_bad_input
from switchboard.runtime.live import LIVE, agent_turn
from switchboard.runtime.process import exit_process, refuse_taken_port
from switchboard.runtime.settings import ModelSettings, ServerSettings, load
from switchboard.telemetry import metrics
from switchboard.telemetry.setup import set_up_telemetry
from switchboard.telemetry.spans import conversation, describe, traced

logger = logging.getLogger(__name__)

SHUTDOWN_GRACE = timedelta(seconds=5)
"""How long running handlers may continue after SIGTERM. Restate then retries them on another process."""

UNSIGNED_INVOCATIONS = (
    "RESTATE_IDENTITY_KEY is not set: any process that reaches this port can call every handler, also private ones"
)

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
BackgroundTask = Callable[[], Coroutine[Any, Any, None]]
AnyService = restate.Service | restate.VirtualObject | restate.Workflow


class Models(Protocol):
    """Reads the models from the environment. Every call returns the same models."""

    def __call__(self, own: str = "") -> Sequence[Model]:
        """Return the models in the order of use. `own` is the name of an agent's own model, which comes first."""
        ...


@dataclass(frozen=True)
class Served:
    """The Restate services of a part, and its background tasks in the same event loop.

    `live` if the part tells gateways about running turns.
    """

    services: tuple[AnyService, ...]
    background: tuple[BackgroundTask, ...] = ()
    live: bool = False


@runtime_checkable
class Part(Protocol):
    """An argument of `serve` other than an agent or a Restate service: Sessions, a Toolset, or your own part."""

    def served(self, models: Models) -> Served:
        """Build the services. The environment must have a model's API key only if a part calls `models()`."""
        ...


AnyPart = Agent | Part | AnyService


def serve(*parts: AnyPart, name: str = "") -> None:
    """Serve agents, toolsets, sessions and Restate services as one process, until SIGTERM or SIGINT.

    Environment variables set the address and, if a part needs one, the model. If any are missing, the process prints
    one line for each and exits. `name` is the name of the process in traces. It defaults to the first agent's name, or
    without agents to the first service's.
    """
    served = assemble(parts, models_from_environment())
    agents = [part.name for part in parts if isinstance(part, Agent)]
    run(served, name or (agents or [served.services[0].name])[0].lower())


def assemble(parts: Sequence[AnyPart], models: Models) -> Served:
    """Return the services of all parts, in order. Raises ValueError for no services or a duplicate name."""
    served = [part_served(part, models) for part in parts]
    services = tuple(service for each in served for service in each.services)
    if not services:
        raise ValueError("serve() has no services to serve. Pass an Agent, a Toolset, Sessions or a Restate service")
    names = [service.name for service in services]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"serve() got two services named {', '.join(twice)}. Rename one of them")
    background = tuple(task for each in served for task in each.background)
    return Served(services, background, live=any(each.live for each in served))


def part_served(part: AnyPart, models: Models) -> Served:
    if isinstance(part, Agent):
        own = models(part.model)
        return Served((agent_service(part, own),), preparation(own), live=True)
    if isinstance(part, Part) and not isinstance(part, type):
        return part.served(models)
    if isinstance(part, AnyService):
        return Served((part,))
    raise TypeError(
        f"serve() cannot serve {part!r}. Pass agents, toolsets, Sessions and Restate services as separate arguments:"
        " serve(one, another), not serve([one, another])"
    )


def preparation(models: Sequence[Model]) -> tuple[BackgroundTask, ...]:
    """Return the task that imports the first model's client. Fallbacks are seldom needed, and import theirs then."""
    first = models[0] if models else None
    return (first.prepare,) if isinstance(first, EndpointModel) else ()


def models_from_environment() -> Models:
    """Return a function that connects to the models. It exits the process if a setting is missing."""

    @cache
    def connected() -> Callable[[str], list[Model]]:
        return connect(load(ModelSettings))

    def models(own: str = "") -> list[Model]:
        try:
            return connected()(own)
        except ValueError as error:
            sys.stderr.write(f"{error}.\n")
            raise SystemExit(1) from error

    return models


def new_agent_service(name: str, handles: str) -> restate.Service:
    """Return a Restate service that sessions find as an agent, by its metadata. It still needs `take_turn`."""
    return restate.Service(
        name,
        description=handles,
        metadata={"switchboard.role": "agent"},
        ingress_private=True,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced("invoke_agent"), refuse_bad_input],
    )


def agent_service(agent: Agent, models: Sequence[Model]) -> restate.Service:
    """Return the agent as a Restate service."""
    service = new_agent_service(agent.name, agent.handles)

    @service.handler()
    async def take_turn(ctx: restate.Context, request: TurnRequest) -> TurnOutcome:
        """Answer one message of a conversation, or name the agent to hand over to."""
        describe(conversation(request.identity.session_id))
        with agent_turn(LIVE, request) as turn:
            observe = turn.observe if turn is not None else None
            outcome = await run_turn(ctx, agent, models, request, observe, turn)
        metrics.count_turn(agent.name, outcome)
        return outcome

    return service


def run(served: Served, name: str) -> None:
    """Serve until SIGTERM or SIGINT. Exits with an error message and code 1 if the port is taken."""
    settings = load(ServerSettings)
    set_up_telemetry(name, settings)
    refuse_taken_port(settings.host, settings.port)
    keys = list(settings.restate_identity_keys) or None
    if keys is None:
        logger.warning(UNSIGNED_INVOCATIONS)
    background = (*served.background, *(live_channels() if served.live else ()))
    app = with_metrics(restate.app(services=served.services, identity_keys=keys))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(app, settings, background))


def live_channels() -> Iterator[BackgroundTask]:
    """Yield the tasks that tell running turns: to gateways, to the broker, or while one replaces the other, to both."""
    if (gateways := gateways_of_settings()) is not None:
        yield gateways.keep_connected
    if (broker := broker_of_settings()) is not None:
        yield BrokerClient(broker).keep_connected


async def listen(app: ASGIApp, settings: ServerSettings, background: Sequence[BackgroundTask] = ()) -> None:
    # One process with one event loop: a kill takes down the whole service, and only `replicas` scales it.
    server = Server(app, address=settings.host, port=settings.port, interface=Interfaces.ASGINL, log_enabled=False)
    loop = asyncio.get_running_loop()
    # Use the SDK's hooks: the SDK installs its own SIGTERM handler at the first request, which would replace ours.
    for signum in (2, 15):
        install_shutdown_hook(loop, lambda: stop(server, loop), signum)
    tasks = [start_background(work) for work in background]
    leave_out_imports()
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()


def start_background(work: BackgroundTask) -> asyncio.Task[None]:
    """Start a background task. If it fails, log the error; the services keep running without it."""
    task = asyncio.create_task(work())
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    if error := task.exception():
        logger.error("a background task has failed", exc_info=error)
    # A task that ends by itself has prepared something, such as the client of a model, which it has imported.
    leave_out_imports()


def stop(server: Server, loop: asyncio.AbstractEventLoop) -> None:
    """Stop accepting requests and exit after the grace period: Restate's idle connections could stay for minutes."""
    server.stop()  # type: ignore[no-untyped-call]  # granian's embedded server is not annotated
    loop.call_later(SHUTDOWN_GRACE.total_seconds(), exit_process)


def with_metrics(app: ASGIApp) -> ASGIApp:
    """Route `/metrics` to the Prometheus client and all other paths, including `/health`, to Restate's SDK."""
    metrics = prometheus_client.make_asgi_app()

    async def route(scope: Any, receive: Any, send: Any) -> None:
        await (metrics if scope.get("path") == "/metrics" else app)(scope, receive, send)

    return route
