"""A plain loop over the Responses API, for the peers that bring no agent of their own. No durability in here.

Model calls take the same path as those of our mesh (`switchboard/models/endpoint.py`), which costs less than
`client.responses.create`. So a peer that uses it is not measured with the package's cost.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bench import work
from bench.contract import BOOK, INSTRUCTIONS, LOOK_UP, TOOLS, WAIT
from bench.peers.endpoint import model_client, model_name

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
        self._name = model_name()
        self._client = model_client()

    async def ask(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of the model's answer."""
        output: list[Item] = json.loads(await self._client.post("/responses", self._body(items)))["output"]
        return output

    async def create(self, items: Sequence[Item]) -> list[Item]:
        """Return the same through the typed method of the package."""
        response = await self._client.http.responses.create(**self._body(items))
        return [item.model_dump(mode="json", exclude_none=True) for item in response.output]

    def _body(self, items: Sequence[Item]) -> dict[str, Any]:
        return {
            "model": self._name,
            "instructions": INSTRUCTIONS,
            "input": items,
            "tools": FUNCTIONS,
            "parallel_tool_calls": True,
            "store": False,
        }


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
