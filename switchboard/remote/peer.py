"""The turns of a remote agent: send, look again by durable timers, and hand back."""

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import restate

from switchboard.agent import HANDOFF_PREFIX
from switchboard.loop.decide import reason_given
from switchboard.messages import (
    HandOff,
    Interrupted,
    Message,
    ModelReply,
    Notice,
    Part,
    Reply,
    ToolCall,
    ToolResult,
    TurnOutcome,
    TurnRequest,
    UserText,
)
from switchboard.remote.settings import RemoteSettings
from switchboard.remote.wire import Outgoing, Patience, Remembered, RemoteTask, Watch
from switchboard.telemetry import spans
from switchboard.telemetry.spans import CANCELLATION_MESSAGE, propagation_headers
from switchboard.toolkit.rpc import notify_customer

logger = logging.getLogger(__name__)

NOTE_MAX_CHARS = 1_000
"""Of the reason that the agent gives which hands over."""

QUESTIONS_MAX = 10
"""Questions of a remote agent in a row. Then the conversation goes back to the mesh's own agents."""

DOUBLINGS_MAX = 20
"""Of the pause between two looks at a task; it is bounded by a setting long before."""

HAND_BACK_REASON = "The result of the other agent is in the result of this call. Answer the customer."
RETRY_FIRST, RETRY_MAX = timedelta(milliseconds=500), timedelta(seconds=30)
"""Pauses between attempts of one request."""

NOTE = "Note of the agent that hands over: {reason}"
AWAY = "{name} cannot be reached at the moment. Nothing is known to have been done there."
UNUSABLE = "{name} could not be used: it {problem}."
SIGN_IN = "{name} wants the customer to sign in there, which is not possible in this conversation."
ENDED = {"failed": "could not do it", "canceled": "has canceled it", "rejected": "has refused it"}
TOO_MANY_QUESTIONS = "{name} has asked too many questions."
LATER = "{name} is still working on it. The customer will get its answer as a message of its own."
OUT_OF_REACH = (
    "{name} has the request, but cannot be reached now. The customer will get its answer as a message of its own."
)
NO_PEER = "Sorry, I can't pass this on at the moment. Please try again later."

QUESTION = "{name} asks: {text}"
CREDENTIALS = re.compile(
    r"\b(pass(word|code|phrase|wort)|pins?|tans?|cv[cv]2?|one-time|(security|card) (codes?|number)|secrets?|log-?in)\b",
    re.IGNORECASE,
)
"""Words of a question that asks for what customers must not tell."""

NO_CREDENTIALS = "(Please do not send passwords, PINs or codes. {name} is not part of our service.)"

LATE_ANSWER = "{name} has answered your request: {text}"
LATE_QUESTION = "{name} asks about your request: {text}"
LATE_END = "{name} has ended your request without a result. {text}"
TOO_LATE = "{name} has not finished your request in time, so it was stopped. Please ask again if you still need it."


PATIENCE = restate.RunOptions(type_hint=Patience)


class Requests(Protocol):
    """The requests to a remote agent; see `switchboard.remote.exchange.Exchange`."""

    async def send(self, outgoing: Outgoing, parent: spans.HandlerSpan | None) -> RemoteTask: ...
    async def get(self, context_id: str, task_id: str, parent: spans.HandlerSpan | None) -> RemoteTask: ...
    async def cancel(self, task_id: str, parent: spans.HandlerSpan | None) -> None: ...


class Peer:
    """A remote agent: its name in the mesh, the requests to it, and how long to wait."""

    def __init__(self, name: str, requests: Requests, settings: RemoteSettings) -> None:
        self.name = name
        self.requests = requests
        self.settings = settings

    async def take_turn(self, ctx: restate.Context, request: TurnRequest) -> TurnOutcome:
        """Pass the customer's message on. Returns a hand-back with the answer, or the remote agent's question."""
        before = remembered(request.transcript, self.name)
        sent: RemoteTask | None = None
        try:
            outgoing = message_to(request, self.name, before, str(ctx.uuid()))
            patience = await ctx.run_typed("patience", self._patience, PATIENCE)
            sent = await self._send(ctx, outgoing)
            task = await self._wait(ctx, sent, patience)
        except restate.TerminalError as error:
            if error.message != CANCELLATION_MESSAGE:
                logger.warning("remote agent %s does not answer", self.name)
                return self.hand_back(request, {"problem": AWAY.format(name=self.name)}, before)
            if sent is not None and sent.task_id:
                self._later(ctx, "cancel", json.dumps(sent.task_id).encode())
            return TurnOutcome(next=Interrupted(known=False))
        if task is None:
            return await self._follow(ctx, request, sent, patience, OUT_OF_REACH)
        return await self._outcome(ctx, request, task, before, patience)

    async def _wait(self, ctx: restate.Context, task: RemoteTask, patience: Patience) -> RemoteTask | None:
        """Look at a task until it ends or asks, or for as long as a turn waits. None if the remote agent is away."""
        pause, waited = patience.poll_first, timedelta()
        while task.state == "working" and waited < patience.answer_within:
            await ctx.sleep(pause, name="remote agent works")
            waited += pause
            try:
                task = await self._get(ctx, task)
            except restate.TerminalError as error:
                if error.message == CANCELLATION_MESSAGE:
                    raise
                logger.warning("remote agent %s does not answer while it works", self.name)
                return None
            pause = min(2 * pause, patience.poll_max, patience.answer_within)
        return task

    async def _patience(self) -> Patience:
        settings = self.settings
        return Patience(
            poll_first=settings.poll_first,
            poll_max=settings.poll_max,
            answer_within=settings.answer_within,
            works_max=settings.works_max,
        )

    async def watch(self, ctx: restate.Context, watch: Watch) -> None:
        """Ask once how a task stands. Tells the customer when it is over; else asks again after a pause."""
        name = self.name
        try:
            task = await self._get(ctx, RemoteTask(state="working", context_id=watch.context_id, task_id=watch.task_id))
        except restate.TerminalError:
            task = RemoteTask(state="working", context_id=watch.context_id, task_id=watch.task_id)
        if task.state != "working":
            text = late_text(name, task)
        elif datetime.fromtimestamp(await ctx.time(), tz=UTC) >= watch.until:
            text = TOO_LATE.format(name=name)
            self._later(ctx, "cancel", json.dumps(watch.task_id).encode())
        else:
            again = watch.model_copy(update={"polled": watch.polled + 1})
            pause = min(self.settings.poll_first * 2 ** min(again.polled, DOUBLINGS_MAX), self.settings.poll_max)
            self._later(ctx, "watch", again.model_dump_json().encode(), pause)
            return
        notify_customer(ctx, watch.session_id, watch.customer_id, text)

    async def cancel(self, ctx: restate.Context, task_id: str) -> None:
        """Cancel a task. A remote agent that does not answer is left alone."""
        try:
            await ctx.run_typed("cancel", self.requests.cancel, self._retried(None), task_id, spans.current())
        except restate.TerminalError:
            logger.warning("a task of remote agent %s could not be canceled", self.name)

    async def _send(self, ctx: restate.Context, outgoing: Outgoing) -> RemoteTask:
        return await ctx.run_typed("send", self.requests.send, self._retried(RemoteTask), outgoing, spans.current())

    async def _get(self, ctx: restate.Context, task: RemoteTask) -> RemoteTask:
        options = self._retried(RemoteTask)
        return await ctx.run_typed("get", self.requests.get, options, task.context_id, task.task_id, spans.current())

    def _retried(self, answer: Any) -> restate.RunOptions[Any]:
        return restate.RunOptions(
            type_hint=answer,
            max_duration=self.settings.away_max,
            initial_retry_interval=RETRY_FIRST,
            max_retry_interval=RETRY_MAX,
            retry_interval_factor=2.0,
        )

    def _later(self, ctx: restate.Context, handler: str, body: bytes, delay: timedelta | None = None) -> None:
        """Send a one-way call to a handler of this agent's own service. It runs also if this turn is cancelled."""
        ctx.generic_send(self.name, handler, body, send_delay=delay, headers=propagation_headers())

    async def _outcome(
        self, ctx: restate.Context, request: TurnRequest, task: RemoteTask, before: Remembered, patience: Patience
    ) -> TurnOutcome:
        """Return the end of a turn for a task that has ended, asks, or works on."""
        name = self.name
        if task.problem:
            return self.hand_back(request, {"problem": UNUSABLE.format(name=name, problem=task.problem)}, before)
        if task.state == "working":
            return await self._follow(ctx, request, task, patience, LATER)
        if task.state == "asks" and before.asked < QUESTIONS_MAX and task.text:
            return self.ask_customer(task, after(task, before.asked + 1))
        if task.state == "asks":
            self._later(ctx, "cancel", json.dumps(task.task_id).encode())
            return self.hand_back(request, {"problem": TOO_MANY_QUESTIONS.format(name=name)}, after(task))
        if task.state == "needs_sign_in":
            return self.hand_back(request, {"problem": SIGN_IN.format(name=name)}, after(task))
        if task.state == "completed":
            return self.hand_back(request, {"answer": task.text}, after(task))
        return self.hand_back(request, {"problem": f"{name} {ENDED[task.state]}.", "answer": task.text}, after(task))

    async def _follow(
        self, ctx: restate.Context, request: TurnRequest, task: RemoteTask, patience: Patience, why: str
    ) -> TurnOutcome:
        """Hand back, and look at the task by durable timers until it is over."""
        identity = request.identity
        watch = Watch(
            session_id=identity.session_id,
            customer_id=identity.customer_id,
            context_id=task.context_id,
            task_id=task.task_id,
            until=datetime.fromtimestamp(await ctx.time(), tz=UTC) + patience.works_max,
        )
        self._later(ctx, "watch", watch.model_dump_json().encode(), patience.poll_first)
        return self.hand_back(request, {"state": why.format(name=self.name)}, after(task))

    def ask_customer(self, task: RemoteTask, ids: Remembered) -> TurnOutcome:
        """Return the remote agent's question as this agent's reply. Models see it as other people's words."""
        text = question(self.name, QUESTION, task.text)
        return TurnOutcome(next=Reply(text=text), added=(self._memory(ids), Notice(text=text, from_service=True)))

    def hand_back(self, request: TurnRequest, result: dict[str, str], ids: Remembered) -> TurnOutcome:
        """Return a hand-off to the agent that handed over, with what came of it as the hand-off's result."""
        to = handed_over_by(request, self.name)
        if to is None:
            return TurnOutcome(next=Reply(text=NO_PEER, failed=True), added=(self._memory(ids), Notice(text=NO_PEER)))
        call = ToolCall(
            call_id=f"hand-back-{len(request.transcript)}",
            tool=f"{HANDOFF_PREFIX}{to}",
            arguments=json.dumps({"reason": HAND_BACK_REASON}),
        )
        content = json.dumps({"from": self.name, **result}, ensure_ascii=False)
        return TurnOutcome(
            next=HandOff(to=to, reason=HAND_BACK_REASON),
            added=(
                self._memory(ids, call),
                ToolResult(call_id=call.call_id, ok=True, content=content, others_words=("answer",)),
            ),
        )

    def _memory(self, ids: Remembered, *calls: ToolCall) -> ModelReply:
        """Return an entry of the transcript that only this agent can read, with the calls that people see."""
        kept = Part(kind="opaque", data=ids.model_dump_json())
        placed = tuple(Part(kind="call", call=position) for position in range(len(calls)))
        return ModelReply(agent=self.name, calls=calls, origin=self._origin, parts=(kept, *placed))

    @property
    def _origin(self) -> str:
        return origin_of(self.name)


def origin_of(name: str) -> str:
    """Return the origin of the entries that a remote agent keeps. No model has it."""
    return f"a2a:{name}"


def message_to(request: TurnRequest, name: str, before: Remembered, message_id: str) -> Outgoing:
    """Return what the remote agent gets: the customer's message, and the note if it was just handed over."""
    texts = [position for position, each in enumerate(request.transcript) if isinstance(each, UserText)]
    last = request.transcript[texts[-1]] if texts else None
    reason = reason_of(request.transcript[texts[-1] if texts else 0 :], name)
    note = NOTE.format(reason=reason[:NOTE_MAX_CHARS]) if reason else ""
    text = last.text if isinstance(last, UserText) and not last.withheld else ""
    return Outgoing(
        message_id=message_id,
        text=text or note,
        note=note if text else "",
        context_id=before.context_id,
        task_id=before.task_id if before.asked else "",
    )


def reason_of(messages: Sequence[Message], name: str) -> str:
    """Return the reason that an agent gave which handed over in these messages; empty if none did."""
    for message in reversed(messages):
        for call in message.calls if isinstance(message, ModelReply) else ():
            if call.tool == f"{HANDOFF_PREFIX}{name}":
                return reason_given(call)
    return ""


def remembered(transcript: Sequence[Message], name: str) -> Remembered:
    """Return what this agent has kept in its last turn."""
    for message in reversed(transcript):
        if isinstance(message, ModelReply) and message.agent == name and message.origin == origin_of(name):
            for part in message.parts:
                if part.kind == "opaque":
                    return Remembered.model_validate_json(part.data)
    return Remembered(context_id="")


def handed_over_by(request: TurnRequest, name: str) -> str | None:
    """Return the agent that handed over last, or another one if it is not there any more; None without agents."""
    peers = [card.name for card in request.peers]
    for reply in reversed([message for message in request.transcript if isinstance(message, ModelReply)]):
        if reply.agent in peers and any(call.tool == f"{HANDOFF_PREFIX}{name}" for call in reply.calls):
            return reply.agent
    return peers[0] if peers else None


def after(task: RemoteTask, asked: int = 0) -> Remembered:
    """Return what to keep. Only a task that asks can be continued."""
    return Remembered(context_id=task.context_id, task_id=task.task_id if asked else "", asked=asked)


def question(name: str, form: str, text: str) -> str:
    """Return a remote agent's question for the customer: it says who asks, and warns if it asks for credentials."""
    asked = form.format(name=name, text=text)
    return f"{asked}\n{NO_CREDENTIALS.format(name=name)}" if CREDENTIALS.search(text) else asked


def late_text(name: str, task: RemoteTask) -> str:
    if task.state == "completed":
        return LATE_ANSWER.format(name=name, text=task.text or "…")
    if task.state == "asks":
        return question(name, LATE_QUESTION, task.text)
    return LATE_END.format(name=name, text=task.text).strip()
