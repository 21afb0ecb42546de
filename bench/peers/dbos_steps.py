"""A plain agent loop as a DBOS workflow on PostgreSQL: `python -m bench.peers.dbos_steps` in its own venv.

As in the documentation: model calls and tools are steps, the message's key is the workflow's id, and each process has
its own executor id, under which it recovers its workflows when it starts. The conversation is a row of a table.
"""

import asyncio
import json
import os
from typing import Any
from uuid import uuid4

# The peers' packages are only in requirements/bench.txt.
from dbos import DBOS, DBOSConfig, SetWorkflowID  # type: ignore[import-not-found]
from psycopg_pool import AsyncConnectionPool

from bench.peers.front import Done, listen
from bench.peers.plain import STEPS_MAX, Item, PlainModel, call_tool, calls_in, result_item, text_in, user_item

POOL_MAX = 20
"""Connections of each process for the conversations, and as many for DBOS, which is its default."""

CREATE = "CREATE TABLE IF NOT EXISTS conversations (session text PRIMARY KEY, items jsonb NOT NULL)"
LOAD = "SELECT items FROM conversations WHERE session = %s"
SAVE = (
    "INSERT INTO conversations (session, items) VALUES (%s, %s) "
    "ON CONFLICT (session) DO UPDATE SET items = excluded.items"
)

model = PlainModel()
pool = AsyncConnectionPool(os.environ["DATABASE_URL"], max_size=POOL_MAX, kwargs={"autocommit": True}, open=False)


@DBOS.step()  # type: ignore[untyped-decorator]
async def load_conversation(session: str) -> list[Item]:
    async with pool.connection() as connection:
        row = await (await connection.execute(LOAD, (session,))).fetchone()
    return row[0] if row else []


@DBOS.step()  # type: ignore[untyped-decorator]
async def save_conversation(session: str, items: list[Item]) -> None:
    async with pool.connection() as connection:
        await connection.execute(SAVE, (session, json.dumps(items)))


@DBOS.step()  # type: ignore[untyped-decorator]
async def ask_model(items: list[Item]) -> list[Item]:
    return await model.ask(items)


@DBOS.step()  # type: ignore[untyped-decorator]
async def run_tool(name: str, arguments: str) -> str:
    return await call_tool(name, arguments)


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def answer(session: str, text: str) -> dict[str, Any]:
    """Answer a message. The steps of a fan-out start in the order of the calls, so that a recovery finds them again."""
    items = [*await load_conversation(session), user_item(text)]
    results = 0
    for _ in range(STEPS_MAX):
        output = await ask_model(items)
        items += output
        calls = calls_in(output)
        if not calls:
            await save_conversation(session, items)
            return {"text": text_in(output), "results": results}
        told = await asyncio.gather(*(run_tool(call["name"], call["arguments"]) for call in calls))
        items += [result_item(call["call_id"], result) for call, result in zip(calls, told, strict=True)]
        results += len(calls)
    raise ValueError("the turn exceeded the maximum number of steps")


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
