"""Restate alone: a turn's invocations and journal entries with empty handlers, as `python -m bench.peers.floor PART`.

It is what our mesh cannot get below as long as it does a turn in these steps. There is no model, no agent, and no
conversation: the text says how many tools to call. Everything else is Restate, its SDK, and the HTTP server under it.
"""

import re
import sys
from datetime import timedelta

import restate

from bench import work
from bench.contract import LookUp, Said, Wait
from bench.peers.handlers import Message, Reply
from bench.workload import HELLO, LOOK_UPS, TOOL_MS, Task, fan_out
from switchboard import serve
from switchboard.runtime.serve import AnyService

TURN_TIMEOUT = timedelta(minutes=2)
"""The timer of a turn's deadline, as the session has one."""

session = restate.VirtualObject("FloorSession")
usage = restate.VirtualObject("FloorUsage")
agent = restate.Service("FloorAgent")
tools = restate.Service("FloorTools")


def task_of(text: str) -> Task:
    if tasks := re.match(r"Run (\d+) tasks", text):
        return fan_out(int(tasks[1]))
    return {HELLO.text: HELLO, LOOK_UPS.text: LOOK_UPS}[text]


async def nothing() -> None:
    """The work of an empty step."""


@session.handler(enable_lazy_state=True)
async def send(ctx: restate.ObjectContext, message: Message) -> Reply:
    """The steps of our session: ask for the customer's limit, call the agent with a deadline, write the turn."""
    await ctx.get("conversation")
    await ctx.run_typed("begin", nothing)
    await ctx.object_call(grant, ctx.key(), message.text)
    deadline = ctx.sleep(TURN_TIMEOUT)
    ctx.set("running", message.text)
    turn = ctx.service_call(take_turn, message)
    await restate.select(turn=turn, deadline=deadline)
    ctx.object_send(settle, ctx.key(), message.text)
    ctx.set("conversation", message.text)
    ctx.set("turn", message.text)
    ctx.clear("running")
    return await turn


@usage.handler()
async def grant(ctx: restate.ObjectContext, text: str) -> None:
    """The steps of a customer's account at the start of a turn."""
    await ctx.run_typed("conditions", nothing)
    await ctx.get("account")
    ctx.set("account", text)


@usage.handler()
async def settle(ctx: restate.ObjectContext, text: str) -> None:
    """The steps of a customer's account at the end of a turn."""
    await ctx.run_typed("conditions", nothing)
    await ctx.get("account")
    ctx.set("account", text)


@agent.handler()
async def take_turn(ctx: restate.Context, message: Message) -> Reply:
    """The steps of our agent: two model calls, and all tool calls at once between them."""
    task = task_of(message.text)
    await ctx.run_typed("model 1", nothing)
    calls = [
        ctx.service_call(look_up, LookUp(name="task"))
        if message.text == LOOK_UPS.text
        else ctx.service_call(wait, Wait(name="task", milliseconds=TOOL_MS))
        for _ in range(task.results)
    ]
    if calls:
        await restate.gather(*calls)
        for call in calls:
            await call
        await ctx.run_typed("model 2", nothing)
    return Reply(text=task.reply, results=task.results)


@tools.handler()
async def wait(ctx: restate.Context, request: Wait) -> Said:
    return await work.wait(request)


@tools.handler()
async def look_up(ctx: restate.Context, request: LookUp) -> Said:
    return await work.look_up(request)


PARTS: dict[str, tuple[AnyService, ...]] = {"session": (session, usage), "agent": (agent,), "tools": (tools,)}

if __name__ == "__main__":
    serve(*PARTS[sys.argv[1]])
