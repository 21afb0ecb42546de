"""Follows the task of a call by durable timers, so that no process is held while a server works on it.

A turn waits for a task as long as for any answer of the server. Then the turn ends, and a chain of delayed messages to
an object of Restate asks on, each with a journal of a few entries. The object also keeps a task that waits for the
customer's answers, until the call is made again with them.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import restate

from switchboard.contract import NoInput
from switchboard.foreign_tools import ForeignCall
from switchboard.mcp_server import McpServer, McpTool
from switchboard.messages import WireModel
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.telemetry.spans import propagation_headers
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.mcp.outcomes import Outcome, RunningTask
from switchboard.toolkit.rpc import notify_customer

POLL_FIRST = timedelta(seconds=1)
"""The first and shortest pause before a look at a task, if the server does not ask for a longer one."""

POLL_MAX = timedelta(minutes=5)
"""The longest pause between two looks at a task, if the server does not ask for a longer one."""

POLL_ASKED_MAX = timedelta(hours=1)
"""The longest pause that a server can ask for."""

PAUSE_SHARE = 10
"""A pause is this part of the time that was waited so far, so that a result is late by a tenth at most."""

POLLS_MAX = 1_000
"""Of one turn. A turn waits for minutes, and the pauses grow."""

CANCELS_MAX = 5
"""Attempts to cancel a task at a server that is away: half a minute."""

SILENCE_MAX = timedelta(minutes=30)
"""How long a server may be away before its task is given up."""

ANSWER_MAX = timedelta(days=7)
"""How long a task that asks something is kept for the customer's answers. Then it is cancelled."""

OUTCOME = restate.RunOptions[Outcome](type_hint=Outcome)

STILL_WORKING = (
    "Begun: {server} is still working on this. The result is sent to the customer as a message of its own when it is"
    " there. Say so, and do not make the same call again."
)
RESULT = "The result of “{label}”:\n{text}"
QUESTION = "About “{label}”: {server} asks: {text} Please answer here."
FAILURE = "“{label}” was not done. {text}"
UNKNOWN = "I don't know whether this was done: {label}. {text}."
TOO_LATE = "{server} has not finished it in time, so it was stopped"
NOT_DECLARED = "{server} is not used for it any more"
ASKS = "asks the customer "
GIVEN_UP = "{server} does not answer any more"
WAITING = "waiting"


class Requests(Protocol):
    """The requests to a server about a task. They raise nothing."""

    async def look(self, declared: McpTool, call: ForeignCall, task: RunningTask) -> Outcome: ...
    async def cancel(self, declared: McpTool, call: ForeignCall, task: RunningTask) -> Outcome: ...


class Followed(WireModel):
    """A task that goes on after its turn, or that waits for the customer's answers."""

    call: ForeignCall
    task: RunningTask
    until: datetime
    waited: timedelta = timedelta()
    silent: timedelta = timedelta()


class Taken(WireModel):
    """The task that waited for a customer's answers, if one did."""

    task: RunningTask | None = None


def pause_before(task: RunningTask, waited: timedelta) -> timedelta:
    """Return how long to wait before a task is looked at again."""
    wanted = min(timedelta(seconds=task.poll_seconds), POLL_ASKED_MAX)
    return max(wanted, POLL_FIRST, min(waited / PAUSE_SHARE, POLL_MAX))


async def wait_for(
    ctx: restate.Context,
    requests: Requests,
    declared: McpTool,
    call: ForeignCall,
    task: RunningTask,
    patience: timedelta | None,
) -> Outcome:
    """Look at a task until it ends or asks, or for as long as a turn waits. An interrupt cancels it.

    `patience` is None for a turn that was interrupted already.
    """
    if patience is None:
        return await stop(ctx, partial(requests.cancel, declared, call, task))
    waited = timedelta()
    outcome = Outcome(kind="working", text="", task=task)
    try:
        for number in range(1, POLLS_MAX + 1):
            if waited >= patience:
                break
            pause = pause_before(task, waited)
            await ctx.sleep(pause, name="the server works")
            waited += pause
            outcome = await ctx.run_typed(f"tasks/get {number}", partial(requests.look, declared, call, task), OUTCOME)
            task = outcome.task or task
            if outcome.kind != "working":
                break
    except restate.TerminalError:
        # The customer has interrupted the turn. Restate raises this once.
        return await stop(ctx, partial(requests.cancel, declared, call, task))
    return outcome


async def stop(ctx: restate.Context, cancel: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
    """Cancel a task, also if the server is away for a moment. The turn does not wait for that: see CANCEL_GRACE."""
    outcome = await ctx.run_typed("tasks/cancel", cancel, OUTCOME)
    for number in range(1, CANCELS_MAX):
        if outcome.kind != "working":
            break
        await ctx.sleep(POLL_FIRST * 2**number, name="pause before the task is cancelled again")
        outcome = await ctx.run_typed(f"tasks/cancel {number}", cancel, OUTCOME)
    return Outcome(kind="lost", text=outcome.text, again=False) if outcome.kind == "working" else outcome


class TaskKeeper:
    """The object that follows the tasks of one server. Its key stands for a customer's call of a tool."""

    def __init__(self, server: McpServer, requests: Requests) -> None:
        self.server = server
        self.requests = requests
        self.name = f"{server.name}Tasks"
        self.declared = {tool.model_name: tool for tool in server.declared}

    def key(self, declared: McpTool, call: ForeignCall) -> str:
        what = [declared.model_name, call.session_id, call.customer_id, call.arguments]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return f"{declared.model_name}/{digest}"

    async def follow(self, ctx: restate.Context, declared: McpTool, call: ForeignCall, task: RunningTask) -> None:
        """Follow a task after its turn, from the server's side until it ends."""
        until = datetime.fromtimestamp(await ctx.time(), tz=UTC) + self.server.task_timeout
        waited = self.server.timeout
        followed = Followed(call=call, task=task, until=until, waited=waited)
        self._send(ctx, "watch", self.key(declared, call), followed, pause_before(task, waited))

    async def keep(self, ctx: restate.Context, declared: McpTool, call: ForeignCall, task: RunningTask) -> None:
        """Keep a task that asks something, until the call is made again with answers."""
        until = datetime.fromtimestamp(await ctx.time(), tz=UTC) + ANSWER_MAX
        self._send(ctx, "keep", self.key(declared, call), Followed(call=call, task=task, until=until))

    async def taken(self, ctx: restate.Context, declared: McpTool, call: ForeignCall) -> RunningTask | None:
        """Return the task that waits for these answers, if there is one. It does not wait any more."""
        key = self.key(declared, call)
        answer = await ctx.generic_call(self.name, "take", b"{}", key=key, headers=propagation_headers())
        return Taken.model_validate_json(answer).task

    def _send(
        self, ctx: restate.Context, handler: str, key: str, followed: Followed, delay: timedelta | None = None
    ) -> None:
        body = followed.model_dump_json().encode()
        ctx.generic_send(self.name, handler, body, key=key, send_delay=delay, headers=propagation_headers())

    def service(self) -> restate.VirtualObject:
        keeper = tool_object(self.name, f"Tasks that the MCP server {self.server.name} works on.")

        @keeper.handler(**NOTHING_RETAINED)
        async def watch(ctx: restate.ObjectContext, followed: Followed) -> None:
            """Look at a task once, and again later. Its end and its questions are sent to the customer."""
            await self.watch(ctx, followed)

        @keeper.handler("keep", **NOTHING_RETAINED)
        async def keep_task(ctx: restate.ObjectContext, followed: Followed) -> None:
            """Keep a task for the customer's answers. It takes the place of an earlier one."""
            await self.hold(ctx, followed)

        @keeper.handler(**NOTHING_RETAINED)
        async def take(ctx: restate.ObjectContext, request: NoInput) -> Taken:
            """Hand out the task that waits."""
            followed = await ctx.get(WAITING, type_hint=Followed)
            ctx.clear(WAITING)
            return Taken(task=followed.task if followed else None)

        @keeper.handler(**NOTHING_RETAINED)
        async def drop(ctx: restate.ObjectContext, followed: Followed) -> None:
            """Cancel a task whose answers have not come."""
            kept = await ctx.get(WAITING, type_hint=Followed)
            if kept is not None and kept.task.task_id == followed.task.task_id:
                await self._cancel(ctx, followed)
                ctx.clear(WAITING)

        return keeper

    async def watch(self, ctx: restate.ObjectContext, followed: Followed) -> None:
        declared = self._declared(ctx)
        if declared is None:
            text = UNKNOWN.format(label=spoken(ctx.key()), text=NOT_DECLARED.format(server=self.server.name))
            notify_customer(ctx, followed.call.session_id, followed.call.customer_id, text)
            return
        look = partial(self.requests.look, declared, followed.call, followed.task)
        outcome = await ctx.run_typed("tasks/get", look, OUTCOME)
        task = outcome.task or followed.task
        if outcome.kind == "working":
            pause = pause_before(task, followed.waited)
            silent = followed.silent + pause if outcome.text else timedelta()
            late = datetime.fromtimestamp(await ctx.time(), tz=UTC) >= followed.until
            if not late and silent < SILENCE_MAX:
                again = {"task": task, "waited": followed.waited + pause, "silent": silent}
                self._send(ctx, "watch", ctx.key(), followed.model_copy(update=again), pause)
                return
            stopped = await self._cancel(ctx, followed)
            why = (TOO_LATE if late else GIVEN_UP).format(server=self.server.name)
            outcome = stopped if stopped.kind == "done" else Outcome(kind="lost", text=why)
        if outcome.kind == "asked" and outcome.task is not None:
            until = datetime.fromtimestamp(await ctx.time(), tz=UTC) + ANSWER_MAX
            await self.hold(ctx, Followed(call=followed.call, task=task, until=until))
        text = text_for_customer(outcome, self.server.name, declared.spoken_label, followed.call.read_only)
        notify_customer(ctx, followed.call.session_id, followed.call.customer_id, text)

    async def hold(self, ctx: restate.ObjectContext, followed: Followed) -> None:
        before = await ctx.get(WAITING, type_hint=Followed)
        if before is not None and before.task.task_id != followed.task.task_id:
            await self._cancel(ctx, before)
        ctx.set(WAITING, followed)
        self._send(ctx, "drop", ctx.key(), followed, ANSWER_MAX)

    def _declared(self, ctx: restate.ObjectContext) -> McpTool | None:
        """Return the tool of the object's key; None if a newer version of the mesh does not declare it."""
        return self.declared.get(ctx.key().partition("/")[0])

    async def _cancel(self, ctx: restate.ObjectContext, followed: Followed) -> Outcome:
        declared = self._declared(ctx)
        if declared is None:
            return Outcome(kind="lost", text=NOT_DECLARED.format(server=self.server.name))
        return await stop(ctx, partial(self.requests.cancel, declared, followed.call, followed.task))


def spoken(key: str) -> str:
    return key.partition("/")[0].replace("_", " ")


def text_for_customer(outcome: Outcome, server: str, label: str, read_only: bool) -> str:
    """Return how a task ended that a turn did not wait for, as a message to the customer."""
    given: dict[str, Any] = {"label": label, "server": server, "text": outcome.text.rstrip(".")}
    if outcome.kind == "done":
        return RESULT.format(**{**given, "text": outcome.text})
    if outcome.kind == "asked":
        return QUESTION.format(**{**given, "text": outcome.text.removeprefix(ASKS)})
    if outcome.kind == "lost" and not read_only:
        return UNKNOWN.format(**given)
    return FAILURE.format(**{**given, "text": f"{given['text']}."})
