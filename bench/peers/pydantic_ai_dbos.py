"""pydantic-ai with its DBOS integration on PostgreSQL: `python -m bench.peers.pydantic_ai_dbos` in its own venv.

As in the documentation: the capability DBOSDurability makes model calls steps of a workflow, and tools are steps
because they are declared so. The conversation is a row of a table, as for DBOS alone.
"""

import asyncio
import os
from typing import Any
from uuid import uuid4

# The peers' packages are only in requirements/bench.txt.
from dbos import DBOS, DBOSConfig, SetWorkflowID  # type: ignore[import-not-found]
from psycopg_pool import AsyncConnectionPool
from pydantic_ai import Agent, ModelMessagesTypeAdapter, ToolReturnPart  # type: ignore[import-not-found]
from pydantic_ai.durable_exec.dbos import DBOSDurability  # type: ignore[import-not-found]
from pydantic_ai.models.openai import (  # type: ignore[import-not-found]
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.openai import OpenAIProvider  # type: ignore[import-not-found]

from bench import work
from bench.contract import AGENT, INSTRUCTIONS, Book, LookUp, Wait
from bench.peers.endpoint import model_name, openai_client
from bench.peers.front import Done, listen

POOL_MAX = 20
"""Connections of each process for the conversations, and as many for DBOS, which is its default."""

CREATE = "CREATE TABLE IF NOT EXISTS conversations (session text PRIMARY KEY, messages text NOT NULL)"
LOAD = "SELECT messages FROM conversations WHERE session = %s"
SAVE = (
    "INSERT INTO conversations (session, messages) VALUES (%s, %s) "
    "ON CONFLICT (session) DO UPDATE SET messages = excluded.messages"
)

pool = AsyncConnectionPool(os.environ["DATABASE_URL"], max_size=POOL_MAX, kwargs={"autocommit": True}, open=False)


@DBOS.step()  # type: ignore[untyped-decorator]
async def load_conversation(session: str) -> str:
    async with pool.connection() as connection:
        row = await (await connection.execute(LOAD, (session,))).fetchone()
    return str(row[0]) if row else "[]"


@DBOS.step()  # type: ignore[untyped-decorator]
async def save_conversation(session: str, messages: str) -> None:
    async with pool.connection() as connection:
        await connection.execute(SAVE, (session, messages))


@DBOS.step()  # type: ignore[untyped-decorator]
async def wait(name: str, milliseconds: int) -> str:
    """Wait for a while."""
    return (await work.wait(Wait(name=name, milliseconds=milliseconds))).model_dump_json()


@DBOS.step()  # type: ignore[untyped-decorator]
async def look_up(name: str) -> str:
    """Look something up."""
    return (await work.look_up(LookUp(name=name))).model_dump_json()


@DBOS.step()  # type: ignore[untyped-decorator]
async def book(name: str, milliseconds: int) -> str:
    """Book something after a while."""
    return (await work.book(Book(name=name, milliseconds=milliseconds))).model_dump_json()


def create_agent() -> Any:
    return Agent(
        OpenAIResponsesModel(model_name(), provider=OpenAIProvider(openai_client=openai_client())),
        name=AGENT,
        instructions=INSTRUCTIONS,
        model_settings=OpenAIResponsesModelSettings(parallel_tool_calls=True, openai_store=False),
        tools=[wait, look_up, book],
        capabilities=[DBOSDurability()],
    )


agent = create_agent()


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def answer(session: str, text: str) -> dict[str, Any]:
    """Answer a message."""
    history = ModelMessagesTypeAdapter.validate_json(await load_conversation(session))
    result = await agent.run(text, message_history=history)
    await save_conversation(session, result.all_messages_json().decode())
    returned = [part for each in result.new_messages() for part in each.parts if isinstance(part, ToolReturnPart)]
    return {"text": result.output, "results": len(returned)}


async def turn(session: str, text: str, key: str) -> Done:
    """Start the workflow, or join the one that runs or ran under this key."""
    with SetWorkflowID(key or str(uuid4())):
        handle = await DBOS.start_workflow_async(answer, session, text)
    return Done(**await handle.get_result())


async def main() -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": os.environ["DATABASE_URL"],
        "executor_id": os.environ["BENCH_WORKER"],
        "log_level": "ERROR",
    }
    DBOS(config=config)
    async with pool:
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_lock(1)")
            await connection.execute(CREATE)
            DBOS.launch()
            await connection.execute("SELECT pg_advisory_unlock(1)")
        try:
            await listen(turn)
        finally:
            DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
