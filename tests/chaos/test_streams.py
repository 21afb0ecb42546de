"""Streams under kills: whatever dies, each viewer ends with the text that was committed, and misses no event."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import pytest

from switchboard.client import AsyncClient
from switchboard.local.mesh import DEMO_MODEL
from switchboard.local.process import Process
from switchboard.session.contract import SendReply, TurnRecord
from switchboard.session.turn_events import events_of_record
from tests.gateway.front import Gateway, Visitor, open_gateway
from tests.gateway.viewers import Watcher, watching
from tests.kills import restart
from tests.laboratory import Laboratory

TEXTS = ("how much is my balance?", "what did I spend this month, and which cards do I have?")
SESSIONS, MANY_SESSIONS = 2, 4
"""Conversations that go on while one process is killed, in a normal run and in a long one."""

TURN_S = 1.0
"""About the time of these turns: kills come at random times within it."""

PARTS, KILLS = 4, 50
"""200 kills take many minutes."""


@dataclass
class Front:
    """Two gateways of one mesh. `others` can be killed, too."""

    laboratory: Laboratory
    gateways: tuple[Gateway, Gateway]
    others: Mapping[str, Process] = field(default_factory=dict)

    def victims(self) -> dict[str, Process]:
        mesh = self.laboratory.mesh
        services = {name: mesh.services[name] for name in ("triage", "bank", "tools", DEMO_MODEL)}
        first, second = self.gateways
        gateways = {"gateway": first.process, "other gateway": second.process}
        return {**services, "restate": mesh.restate, **gateways, **self.others}

    def visitors(self, session: str) -> tuple[Visitor, Visitor]:
        first, second = self.gateways
        return first.visitor(session=session), second.visitor(session=session)


@pytest.fixture(scope="module")
async def front(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    folder = tmp_path_factory.mktemp("streams")
    for name in ("a", "b"):
        (folder / name).mkdir()
    async with open_gateway(laboratory, folder / "a") as first, open_gateway(laboratory, folder / "b") as second:
        yield Front(laboratory, (first, second))


@dataclass
class Conversation:
    """A customer's session, three viewers of it, and the replies that the customer's client got."""

    session: str
    watchers: Sequence[Watcher]
    replies: list[SendReply]

    async def ends_as(self, records: Sequence[TurnRecord]) -> None:
        """Check what the client and each viewer have seen against the records."""
        committed = {record.turn: record.reply for record in records}
        assert {reply.turn: reply.text for reply in self.replies} == committed
        expected = [event.id for record in records for event in events_of_record(record, None)]
        for number, watcher in enumerate(self.watchers):
            with suppress(TimeoutError):
                await watcher.until(lambda each: len(each.replies()) == len(records))
            seen = [event.id for event in watcher.seen]
            assert watcher.replies() == committed, (self.session, number, seen, watcher.problems, watcher.connections)
            assert seen == expected


async def talk(front: Front, stack: AsyncExitStack, rng: random.Random, number: int) -> Conversation:
    """Hold one conversation, with three viewers: one at each gateway, and one that goes from one to the other."""
    first, second = front.visitors(f"streams-{rng.getrandbits(64):x}")
    watchers = [await stack.enter_async_context(watching(*each)) for each in ([first], [second], [second, first])]
    own = first if number % 2 else second
    conversation = Conversation(first.session, watchers, [])
    async with AsyncClient(own.url, lambda: own.token) as client:
        for text in TEXTS:
            conversation.replies.append(await client.send(first.session, text))
    return conversation


async def kill_during_streams(front: Front, rng: random.Random, victim: str, sessions: int) -> None:
    """Kill one process at a random time while conversations go on, and check all of them."""
    async with AsyncExitStack() as stack:
        talks = [asyncio.create_task(talk(front, stack, rng, number)) for number in range(sessions)]
        await asyncio.sleep(rng.uniform(0, len(TEXTS) * TURN_S))
        await restart(front.victims()[victim])
        conversations = await asyncio.gather(*talks)
        for conversation in conversations:
            reader = front.gateways[0].visitor(session=conversation.session)
            async with AsyncClient(reader.url, lambda reader=reader: reader.token) as client:  # type: ignore[misc]
                await conversation.ends_as(await client.turns(conversation.session))


async def test_each_viewer_ends_with_the_committed_text_whatever_is_killed(front: Front) -> None:
    rng = random.Random(20261129)
    for victim in ("bank", "gateway", "restate", DEMO_MODEL):
        await kill_during_streams(front, rng, victim, SESSIONS)


async def kill_many(front: Front, seed: int) -> None:
    """Kill processes at random while conversations go on."""
    rng = random.Random(seed)
    for _ in range(KILLS):
        await kill_during_streams(front, rng, rng.choice(list(front.victims())), MANY_SESSIONS)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
async def test_each_viewer_ends_with_the_committed_text_under_many_kills(front: Front, part: int) -> None:
    await kill_many(front, 20261130 + part)
