"""LangChain's agent on LangGraph with its PostgreSQL checkpointer: `python -m bench.peers.langgraph` in its own venv.

As in the documentation: a pool with autocommit and dict rows, `thread_id` for the conversation, and durability "sync",
which writes each checkpoint before the next step. A run that broke off is resumed with the input None.
"""

import asyncio
import os
from typing import Any

# The peers' packages are only in requirements/bench.txt.
from langchain.agents import create_agent  # type: ignore[import-not-found]
from langchain_core.messages import HumanMessage, ToolMessage  # type: ignore[import-not-found]
from langchain_core.tools import tool  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # type: ignore[import-not-found]
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench import work
from bench.contract import INSTRUCTIONS, Book, LookUp, Wait
from bench.peers.endpoint import choice
from bench.peers.front import Done, listen

POOL_MAX = 20
"""Connections of each process, as in the checkpointer's documentation."""


@tool  # type: ignore[untyped-decorator]
async def wait(name: str, milliseconds: int) -> str:
    """Wait for a while."""
    return (await work.wait(Wait(name=name, milliseconds=milliseconds))).model_dump_json()


@tool  # type: ignore[untyped-decorator]
async def look_up(name: str) -> str:
    """Look something up."""
    return (await work.look_up(LookUp(name=name))).model_dump_json()


@tool  # type: ignore[untyped-decorator]
async def book(name: str, milliseconds: int) -> str:
    """Book something after a while."""
    return (await work.book(Book(name=name, milliseconds=milliseconds))).model_dump_json()


class Conversations:
    """Each session is a thread, whose messages the checkpointer keeps."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    async def turn(self, session: str, text: str, key: str) -> Done:
        config = {"configurable": {"thread_id": session}}
        message = HumanMessage(text, id=key or None)
        accepted = key and await self._has(config, key)
        state = await self._agent.ainvoke(None if accepted else {"messages": [message]}, config, durability="sync")
        messages = state["messages"]
        asked = max(number for number, each in enumerate(messages) if isinstance(each, HumanMessage))
        results = sum(isinstance(each, ToolMessage) and each.status == "success" for each in messages[asked:])
        return Done(str(messages[-1].text), results)

    async def _has(self, config: dict[str, Any], key: str) -> bool:
        """Return whether a message that is sent again is in the thread already."""
        state = await self._agent.aget_state(config)
        return any(message.id == key for message in state.values.get("messages", ()))


def model() -> Any:
    found = choice()
    return ChatOpenAI(
        model=found.model, api_key=found.key, base_url=found.base_url, use_responses_api=True, store=False
    )


async def main() -> None:
    pool = AsyncConnectionPool(
        os.environ["DATABASE_URL"],
        max_size=POOL_MAX,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        open=False,
    )
    async with pool:
        checkpointer = AsyncPostgresSaver(pool)
        # Two processes that create the tables at once would fail.
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_lock(1)")
            await checkpointer.setup()
            await connection.execute("SELECT pg_advisory_unlock(1)")
        agent = create_agent(model(), [wait, look_up, book], system_prompt=INSTRUCTIONS, checkpointer=checkpointer)
        await listen(Conversations(agent).turn)


if __name__ == "__main__":
    asyncio.run(main())
