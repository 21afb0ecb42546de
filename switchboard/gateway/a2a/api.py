"""The routes of A2A: the agent card, JSON-RPC and HTTP+JSON. All but the card need a customer's token."""

import logging
from collections.abc import Awaitable, Callable

from a2a.server.context import ServerCallContext
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.routes.rest_dispatcher import RestDispatcher
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from fastapi import APIRouter, FastAPI, Request, Response
from sse_starlette import EventSourceResponse

from switchboard.gateway.a2a.card import PATH, Cards, agent_card
from switchboard.gateway.a2a.handler import REQUEST, MeshRequests
from switchboard.gateway.a2a.push import PushConfigStore
from switchboard.gateway.api import AuthenticatedRoute
from switchboard.gateway.event_streams import HEADERS, SEND_TIMEOUT
from switchboard.gateway.settings import A2ASettings
from switchboard.ingress import RestateIngress

Answer = Callable[[Request], Awaitable[Response]]


class Calls(ServerCallContextBuilder):
    """Gives the HTTP request to the handler of a method."""

    def build(self, request: Request) -> ServerCallContext:
        return ServerCallContext(state={REQUEST: request, "headers": dict(request.headers)})


def add_a2a(app: FastAPI, ingress: RestateIngress, settings: A2ASettings) -> None:
    """Add the routes to the API. `ingress` is asked for the agents, and for what only A2A needs."""
    # The SDK logs what it cannot read, with a customer's words. Our middleware logs each request.
    logging.getLogger("a2a").setLevel(logging.CRITICAL)
    cards = Cards(ingress, settings)
    card = create_agent_card_routes(agent_card((), settings), cards.card, AGENT_CARD_WELL_KNOWN_PATH)
    app.router.routes.extend(card)
    app.include_router(create_routes(PushConfigStore(ingress, settings.a2a_push_hosts)))


def create_routes(push: PushConfigStore) -> APIRouter:
    """Return the routes of both bindings."""
    handler, calls = MeshRequests(push), Calls()
    rpc, rest = JsonRpcDispatcher(handler, calls), RestDispatcher(handler, calls)
    routes = APIRouter(prefix=PATH, route_class=AuthenticatedRoute, include_in_schema=False)
    methods: tuple[tuple[str, str, Answer], ...] = (
        ("POST", "", rpc.handle_requests),
        ("POST", "/message:send", rest.on_message_send),
        ("POST", "/message:stream", rest.on_message_send_stream),
        ("GET", "/tasks", rest.list_tasks),
        ("GET", "/tasks/{id}", rest.on_get_task),
        ("POST", "/tasks/{id}:cancel", rest.on_cancel_task),
        ("GET", "/tasks/{id}:subscribe", rest.on_subscribe_to_task),
        ("POST", "/tasks/{id}:subscribe", rest.on_subscribe_to_task),
        ("POST", "/tasks/{id}/pushNotificationConfigs", rest.set_push_notification),
        ("GET", "/tasks/{id}/pushNotificationConfigs", rest.list_push_notifications),
        ("GET", "/tasks/{id}/pushNotificationConfigs/{push_id}", rest.get_push_notification),
        ("DELETE", "/tasks/{id}/pushNotificationConfigs/{push_id}", rest.delete_push_notification),
        ("GET", "/extendedAgentCard", rest.handle_authenticated_agent_card),
    )
    for method, path, answer in methods:
        routes.add_api_route(path, endpoint(answer), methods=[method])
    return routes


def endpoint(answer: Answer) -> Answer:
    """Return the endpoint of a method. A stream ends if its client reads nothing for too long."""

    async def handle(request: Request) -> Response:
        response = await answer(request)
        if isinstance(response, EventSourceResponse):
            response.send_timeout = SEND_TIMEOUT.total_seconds()
            response.headers.update(HEADERS)
        return response

    return handle
