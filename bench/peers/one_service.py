"""An agent as one Restate object, in the style of Restate's own examples: `python -m bench.peers.one_service WAY`.

The whole loop is in one handler. Model calls and tools are steps of its journal, and the conversation is its state. WAY
says how it calls the model: `create` as the examples do, with the typed method of the package, or `post` as ours.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence

import restate

from bench.peers.handlers import Message, Reply
from bench.peers.plain import STEPS_MAX, Item, PlainModel, call_tool, calls_in, result_item, text_in, user_item
from switchboard import serve

CONVERSATION = "conversation"


def one_service(name: str, ask: Callable[[Sequence[Item]], Awaitable[list[Item]]]) -> restate.VirtualObject:
    service = restate.VirtualObject(name)

    async def call_model(items: list[Item]) -> list[Item]:
        return await ask(items)

    @service.handler()
    async def send(ctx: restate.ObjectContext, message: Message) -> Reply:
        """Answer a message."""
        items: list[Item] = [*(await ctx.get(CONVERSATION, type_hint=list) or []), user_item(message.text)]
        results = 0
        for _ in range(STEPS_MAX):
            output = await ctx.run_typed("model", call_model, items=items)
            items += output
            calls = calls_in(output)
            if not calls:
                ctx.set(CONVERSATION, items)
                return Reply(text=text_in(output), results=results)
            steps = [ctx.run_typed(call["name"], call_tool, **named(call)) for call in calls]
            await restate.gather(*steps)
            items += [result_item(call["call_id"], await step) for call, step in zip(calls, steps, strict=True)]
            results += len(calls)
        raise restate.TerminalError("the turn exceeded the maximum number of steps")

    return service


def named(call: Item) -> dict[str, str]:
    return {"name": call["name"], "arguments": call["arguments"]}


if __name__ == "__main__":
    model = PlainModel()
    WAYS = {"create": ("OneService", model.create), "post": ("OneServicePost", model.ask)}
    serve(one_service(*WAYS[sys.argv[1]]))
