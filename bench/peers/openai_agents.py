"""The openai-agents package as in its guide, without tracing. `python -m bench.peers.openai_agents` in its own venv."""

from typing import Any

# The peers' packages are only in requirements/bench.txt.
from agents import (  # type: ignore[import-not-found]
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

from bench import work
from bench.contract import AGENT, INSTRUCTIONS, Book, LookUp, Wait
from bench.peers.endpoint import model_name, openai_client
from bench.peers.front import Done, serve

STEPS_MAX = 8


async def wait(name: str, milliseconds: int) -> str:
    """Wait for a while."""
    return (await work.wait(Wait(name=name, milliseconds=milliseconds))).model_dump_json()


async def look_up(name: str) -> str:
    """Look something up."""
    return (await work.look_up(LookUp(name=name))).model_dump_json()


async def book(name: str, milliseconds: int) -> str:
    """Book something after a while."""
    return (await work.book(Book(name=name, milliseconds=milliseconds))).model_dump_json()


class Conversations:
    """All items of each session in the process's memory, which is the cheapest storage that the package offers."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._items: dict[str, list[Any]] = {}

    async def turn(self, session: str, text: str, key: str) -> Done:
        items = [*self._items.get(session, ()), {"role": "user", "content": text}]
        result = await Runner.run(self._agent, items, max_turns=STEPS_MAX)
        self._items[session] = result.to_input_list()
        results = sum(item.type == "tool_call_output_item" for item in result.new_items)
        return Done(str(result.final_output), results)


def agent() -> Any:
    """Return an agent with the same client and transport as ours, so that only the package's own work differs."""
    return Agent(
        name=AGENT,
        instructions=INSTRUCTIONS,
        model=OpenAIResponsesModel(model_name(), openai_client()),
        model_settings=ModelSettings(parallel_tool_calls=True, store=False),
        tools=[function_tool(wait), function_tool(look_up), function_tool(book)],
    )


if __name__ == "__main__":
    set_tracing_disabled(True)
    serve(Conversations(agent()).turn)
