"""The openai-agents package as its guide has it, tracing off: `python -m bench.peers.openai_agents` in its own venv."""

from typing import Any

# Peers' packages are in requirements/bench.txt only.
from agents import (  # type: ignore[import-not-found]
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

from bench import work
from bench.contract import AGENT, INSTRUCTIONS, LookUp, Wait
from bench.peers.front import Done, serve
from switchboard.models.responses import connect
from switchboard.runtime.settings import ModelSettings as Endpoint
from switchboard.runtime.settings import load

STEPS_MAX = 8


async def wait(name: str, milliseconds: int) -> str:
    """Wait for a while."""
    return (await work.wait(Wait(name=name, milliseconds=milliseconds))).model_dump_json()


async def look_up(name: str) -> str:
    """Look something up."""
    return (await work.look_up(LookUp(name=name))).model_dump_json()


class Conversations:
    """Each session's items in the memory of the process, all of them: the cheapest that the package offers."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._items: dict[str, list[Any]] = {}

    async def turn(self, session: str, text: str) -> Done:
        items = [*self._items.get(session, ()), {"role": "user", "content": text}]
        result = await Runner.run(self._agent, items, max_turns=STEPS_MAX)
        self._items[session] = result.to_input_list()
        results = sum(item.type == "tool_call_output_item" for item in result.new_items)
        return Done(str(result.final_output), results)


def agent() -> Any:
    """The agent, on the same client with the same transport as ours: what differs is the package's own work."""
    endpoint = load(Endpoint)
    client = connect(endpoint.api_key.get_secret_value(), str(endpoint.base_url) if endpoint.base_url else None)
    return Agent(
        name=AGENT,
        instructions=INSTRUCTIONS,
        model=OpenAIResponsesModel(endpoint.model, client),
        model_settings=ModelSettings(parallel_tool_calls=True, store=False),
        tools=[function_tool(wait), function_tool(look_up)],
    )


if __name__ == "__main__":
    set_tracing_disabled(True)
    serve(Conversations(agent()).turn)
