"""Who counts as an agent in Restate's registry."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.messages import Card
from switchboard.session.directory import Directory, DirectoryUnavailable, read_cards


def test_a_service_with_the_role_and_the_handler_is_an_agent() -> None:
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
    """An admin API that answers, counts, or is away."""

    def __init__(self) -> None:
        self.away = False
        self.revision = 1
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.away:
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


async def test_services_are_read_again_only_when_a_deployment_changed(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    for _ in range(3):
        assert (await directory.cards())[0].handles == "Money, revision 1."
    fake.revision = 2
    assert (await directory.cards())[0].handles == "Money, revision 2."
    assert fake.asked.count("/deployments") == 4
    assert fake.asked.count("/services") == 2


async def test_while_the_registry_is_away_the_agents_known_last_are_used(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    await directory.cards()
    fake.away = True
    assert [card.name for card in await directory.cards()] == ["Bank"]


async def test_without_a_registry_and_without_a_memory_it_says_so(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    fake.away = True
    with pytest.raises(DirectoryUnavailable, match="cannot read the agents"):
        await directory.cards()


async def test_messages_that_arrive_together_share_a_lookup(registry: tuple[Registry, Directory]) -> None:
    fake, directory = registry
    await asyncio.gather(*(directory.cards() for _ in range(50)))
    assert fake.asked.count("/deployments") <= 3
