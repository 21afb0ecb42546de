"""The bare loop as a baseline: our model adapter and decisions without durability: `python -m bench.peers.bare`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bench import work
from bench.contract import BOOK, LOOK_UP, WAIT, bench
from bench.peers.front import Done, serve
from switchboard.loop.decide import Act, Answer, UncheckedCall, ValidatedCall, decide
from switchboard.messages import HeldCall, Identity, Message, ToolResult, TurnRequest, UserText
from switchboard.models.model import Model
from switchboard.runtime.serve import models_from_environment
from switchboard.session.window import WINDOW_MAX_BYTES, Window, flatten, newest_turns, window_turn

TOOLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    WAIT.name: work.wait,
    LOOK_UP.name: work.look_up,
    BOOK.name: work.book,
}


class BareLoop:
    """Conversations in the process's memory. A crash loses all of them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._windows: dict[str, Window] = {}

    async def turn(self, session: str, text: str, key: str) -> Done:
        identity = Identity(session_id=session, customer_id="alice")
        window, said = self._windows.get(session, ()), UserText(text=text)
        request = TurnRequest(identity=identity, transcript=(*flatten(window), said))
        added: list[Message] = []
        for _ in range(bench.steps_max):
            reply = await self._model.ask(bench, request, added)
            added.append(reply)
            match decide(reply, bench, identity, ()):
                case Answer(text):
                    turn = window_turn(len(window), (said, *added))
                    self._windows[session] = newest_turns((*window, turn), WINDOW_MAX_BYTES)
                    return Done(text, sum(isinstance(message, ToolResult) and message.ok for message in added))
                case Act(calls):
                    added += await asyncio.gather(*map(call_tool, calls))
                case unexpected:
                    raise ValueError(f"the script does not cause this decision: {unexpected}")
        raise ValueError("the turn exceeded the maximum number of steps")


async def call_tool(call: ValidatedCall) -> ToolResult:
    """Call a tool in this process."""
    if isinstance(call, ToolResult):
        return call
    assert not isinstance(call, HeldCall | UncheckedCall), "no tool of the benchmark requires consent"
    result = await TOOLS[call.tool.name](call.tool.input.model_validate_json(call.body))
    return ToolResult(call_id=call.call_id, ok=True, content=result.model_dump_json())


if __name__ == "__main__":
    serve(BareLoop(models_from_environment()()[0]).turn)
