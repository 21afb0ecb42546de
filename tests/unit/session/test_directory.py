"""The directory of agents, read from Restate's registry."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.messages import Card
from switchboard.session.directory import Directory, DirectoryUnavailable, read_cards


def test_service_with_agent_role_and_take_turn_handler_is_an_agent() -> None:
    take_turn = [{"name": "take_turn", "ty": None}]
    services = [
        {"name": "Weather", "metadata": {"switchboard.role": "agent"}, "documentation": "Rain.", "handlers": take_turn},
        {"name": "Bank", "metadata": {"switchboard.role": "agent"}, "handlers": take_turn, "revision": 3},
        {"name": "Accounts", "metadata": {"switchboard.role": "tools"}, "handlers": take_turn},
        {"name": "My.Agent-2", "metadata": {"switchboard.role": "agent"}, "handlers": take_turn},
        {"name": "Half", "metadata": {"switchboard.role": "agent"}, "handlers": [{"name": "greet"}]},
        {"name": "Session", "metadata": {}, "handlers": [{"name": "send"}]},
    ]
    assert read_cards(json.dumps({"services": services}).encode()) == (
        Card(name="Bank", handles="Bank"),
        Card(name="Weather", handles="Rain."),
    )


class Registry:
    """An admin API that records requests and can be unavailable."""

    def __init__(self) -> None:
        self.unavailable = False
        self.revision = 1
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if self.unavailable:
            raise web.HTTPServiceUnavailable
        if request.path == "/deployments":
            services = [{"name": "Bank", "revision": self.revision}]
            deployment = {"id": "dp_1", "created_at": "now", "services": services}
            return web.json_response({"deployments": [deployment]})
        bank = {
            "name": "Bank",
            "metadata": {"switchboard.role": "agent"},
            "documentation": f"Money, revision {self.revision}.",
            "handlers": [{"name": "take_turn"}],
        }
        return web.json_response({"services": [bank]})


@pytest.fixture
async def registry() -> AsyncIterator[tuple[Registry, Directory]]:
    fake = Registry()
    app = web.Application()
    app.router.add_get("/{path}", fake.answer)
    async with TestServer(app) as server:
        directory = Directory(str(server.make_url("")))
        yield fake, directory
        await directory.close()


async def test_lookup_that_is_recent_enough_is_used_again(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    first = await directory.cards(timedelta(days=365))
    assert fake.paths == ["/deployments", "/services"]
    assert await directory.cards(timedelta(hours=1)) == first
    assert fake.paths == ["/deployments", "/services"]
    assert await directory.cards() == first
    assert fake.paths == ["/deployments", "/services", "/deployments"]


async def test_directory_rereads_services_only_after_a_deployment_changed(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    for _ in range(3):
        assert (await directory.cards())[0].handles == "Money, revision 1."
    fake.revision = 2
    assert (await directory.cards())[0].handles == "Money, revision 2."
    assert fake.paths.count("/deployments") == 4
    assert fake.paths.count("/services") == 2


async def test_directory_uses_last_known_agents_without_registry(
    registry: tuple[Registry, Directory],
) -> None:
    fake, directory = registry
    await directory.cards()
    fake.unavailable = True
    assert [card.name for card in await directory.cards()] == ["Bank"]


async def test_directory_raises_when_registry_was_never_available(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    fake.unavailable = True
    with pytest.raises(DirectoryUnavailable, match="cannot read the agents"):
        await directory.cards()


async def test_concurrent_lookups_share_one_request(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    await asyncio.gather(*(directory.cards() for _ in range(50)))
    assert fake.paths.count("/deployments") <= 3
