"""Tools of MCP servers in a turn: what each server lists is read once, journaled, and made into contracts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import restate

from switchboard.agent import Agent
from switchboard.contract import IDENTITY_FIELDS
from switchboard.foreign_tools import Catalog, foreign_tools, not_available
from switchboard.mcp_server import DISCOVER
from switchboard.telemetry.spans import propagation_headers

NO_ANSWER = "its tools service did not answer"


@dataclass(frozen=True)
class Equipped:
    """An agent with the tools that its servers list now. `cancelled`: the turn was told to stop meanwhile."""

    agent: Agent
    cancelled: bool = False


async def equip(ctx: restate.Context, agent: Agent) -> Equipped:
    """Ask the servers of an agent for their tools, all at once. An agent without servers adds no journal entry."""
    if not agent.servers:
        return Equipped(agent)
    asked = [ctx.generic_call(server.name, DISCOVER, b"{}", headers=propagation_headers()) for server in agent.servers]
    try:
        # Our own cancellation surfaces here. How a call ended is read below.
        await restate.gather(*asked)
    except restate.TerminalError:
        return Equipped(agent, cancelled=True)
    return Equipped(with_catalogs(agent, [await catalog_of(answer) for answer in asked]))


async def catalog_of(answer: restate.RestateDurableCallFuture[bytes]) -> Catalog:
    try:
        return Catalog.model_validate_json(await answer)
    except (restate.TerminalError, ValueError):
        return Catalog(problem=NO_ANSWER)


def with_catalogs(agent: Agent, catalogs: Sequence[Catalog]) -> Agent:
    """Return the agent with the tools of its servers, and with a line about those that it cannot call at the moment."""
    names = (*IDENTITY_FIELDS, *agent.identity_fields)
    found = [foreign_tools(server, catalog, names) for server, catalog in zip(agent.servers, catalogs, strict=True)]
    missing = [each for offered in found for each in offered.missing]
    instructions = f"{agent.instructions}\n{not_available(missing)}" if missing else agent.instructions
    tools = (*agent.tools, *(tool for offered in found for tool in offered.tools))
    return replace(agent, tools=tools, servers=(), instructions=instructions)
