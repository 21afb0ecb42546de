"""openai-agents with Restate's extension for durability: `python -m bench.peers.restate_openai` in its own venv."""

from typing import Any

import restate

# The peers' packages are only in requirements/bench.txt.
from agents import (  # type: ignore[import-not-found]
    Agent,
    ModelSettings,
    set_default_openai_client,
    set_tracing_disabled,
)
from restate.ext.openai import DurableRunner, durable_function_tool, restate_context

from bench.contract import AGENT, BENCH_TOOLS, INSTRUCTIONS, Book, LookUp, Said, Wait
from bench.peers.endpoint import model_name, openai_client
from bench.peers.handlers import Message, Reply
from switchboard.runtime.serve import serve

DURABLE = "DurableBench"
STEPS_MAX = 8


@durable_function_tool
async def wait(name: str, milliseconds: int) -> str:
    """Wait for a while."""
    return await call("wait", Wait(name=name, milliseconds=milliseconds))


@durable_function_tool
async def look_up(name: str) -> str:
    """Look something up."""
    return await call("look_up", LookUp(name=name))


@durable_function_tool
async def book(name: str, milliseconds: int) -> str:
    """Book something after a while."""
    return await call("book", Book(name=name, milliseconds=milliseconds))


async def call(handler: str, request: Wait | LookUp | Book) -> str:
    """Call the same tools as our mesh, durably."""
    answer = await restate_context().generic_call(BENCH_TOOLS, handler, request.model_dump_json().encode())
    return Said.model_validate_json(answer).model_dump_json()


def durable_object(agent: Any) -> restate.VirtualObject:
    """Return a virtual object whose state holds one conversation."""
    durable = restate.VirtualObject(DURABLE)

    @durable.handler()
    async def send(ctx: restate.ObjectContext, message: Message) -> Reply:
        """Answer a message."""
        result = await DurableRunner.run(agent, message.text, use_restate_session=True, max_turns=STEPS_MAX)
        results = sum(item.type == "tool_call_output_item" for item in result.new_items)
        return Reply(text=str(result.final_output), results=results)

    return durable


def agent(model: str) -> Any:
    return Agent(
        name=AGENT,
        instructions=INSTRUCTIONS,
        model=model,
        model_settings=ModelSettings(parallel_tool_calls=True, store=False),
        tools=[wait, look_up, book],
    )


if __name__ == "__main__":
    set_tracing_disabled(True)
    set_default_openai_client(openai_client(), use_for_tracing=False)
    serve(durable_object(agent(model_name())))
