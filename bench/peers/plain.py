"""A plain loop over the Responses API, for the peers that bring no agent of their own. No durability in here.

Model calls take the same path through the `openai` package as our mesh (`client.post`), which costs less than
`client.responses.create`. So a peer that uses it is not measured with the package's cost.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bench import work
from bench.contract import BOOK, INSTRUCTIONS, LOOK_UP, TOOLS, WAIT
from switchboard.models.endpoint import connect_openai
from switchboard.runtime.settings import ModelSettings, load

STEPS_MAX = 8
Item = dict[str, Any]

WORK: dict[str, Callable[[Any], Awaitable[Any]]] = {
    WAIT.name: work.wait,
    LOOK_UP.name: work.look_up,
    BOOK.name: work.book,
}
INPUTS = {tool.name: tool.input for tool in TOOLS}
FUNCTIONS = [
    {
        "type": "function",
        "name": tool.name,
        "description": tool.purpose,
        "parameters": tool.input.model_json_schema(),
        "strict": False,
    }
    for tool in TOOLS
]


class PlainModel:
    """The model of the environment's OPENAI_* variables."""

    def __init__(self) -> None:
        settings = load(ModelSettings)
        choice = settings.choose(settings.names()[0])
        self._name = choice.model
        self._client = connect_openai(choice.key, choice.base_url)

    async def ask(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of the model's answer."""
        body = {
            "model": self._name,
            "instructions": INSTRUCTIONS,
            "input": items,
            "tools": FUNCTIONS,
            "parallel_tool_calls": True,
            "store": False,
        }
        response = await self._client.http.post("/responses", body=body, cast_to=self._client.response)
        output: list[Item] = json.loads(response.content)["output"]
        return output


def user_item(text: str) -> Item:
    return {"type": "message", "role": "user", "content": text}


def calls_in(output: Sequence[Item]) -> list[Item]:
    return [item for item in output if item["type"] == "function_call"]


def text_in(output: Sequence[Item]) -> str:
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts)


async def call_tool(name: str, arguments: str) -> str:
    """Do a tool's work in this process and return its result as JSON."""
    result = await WORK[name](INPUTS[name].model_validate_json(arguments))
    return str(result.model_dump_json())


def result_item(call_id: str, output: str) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": output}
