"""A turn as a run of the AG-UI protocol 1.0, so that existing chat components show it. Pure: events in, events out.

A confirmation ends the run with an interrupt; the run that resumes it is the customer's yes or no.
"""

from collections.abc import Iterator, Sequence

from ag_ui.core import (
    PROTOCOL_VERSION,
    AssistantMessage,
    BaseEvent,
    CustomEvent,
    Interrupt,
    MessagesSnapshotEvent,
    RunAgentInput,
    RunErrorEvent,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

from switchboard.events import (
    AgentStarted,
    Delta,
    HandedBack,
    ModelStep,
    Numbered,
    Reset,
    Shown,
    TakenOver,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from switchboard.messages import Confirmation

CONFIRMATION = "confirmation"
"""Reason of the interrupt with which a run ends that asks the customer."""

ANSWER_SCHEMA = {
    "type": "object",
    "properties": {"confirmed": {"type": "boolean"}},
    "required": ["confirmed"],
    "additionalProperties": False,
}
"""The answer to an interrupt: whether the customer says yes."""

RESULTS = {"held": "Waits for the customer's yes.", "unknown": "The turn ended before the tool answered."}
DONE, FAILED = "Done.", "Failed."


class Run:
    """One run: the events of one message's turn, from RUN_STARTED to RUN_FINISHED or RUN_ERROR."""

    def __init__(self, given: RunAgentInput) -> None:
        self._given = given
        self._said: list[AssistantMessage] = []
        self._open: AssistantMessage | None = None
        self._step = ""
        self._writer = ""

    def started(self) -> BaseEvent:
        return RunStartedEvent(
            thread_id=self._given.thread_id, run_id=self._given.run_id, protocol_version=PROTOCOL_VERSION
        )

    def failed(self, message: str, code: str) -> Iterator[BaseEvent]:
        """Yield the end of a run that has no reply."""
        yield from self._close_text()
        yield from self._close_step()
        yield RunErrorEvent(message=message, code=code)

    def take(self, shown: Shown) -> Iterator[BaseEvent]:
        """Yield what AG-UI shows for one event."""
        match shown:
            case Delta():
                yield from self._write(shown)
            case Reset(writer=writer) if writer == self._writer:
                yield from self._take_back()
            case Numbered(turn=turn, seq=seq, event=ModelStep(text=text)) if text:
                yield from self._say(f"{turn}.{seq}", text)
            case Numbered(turn=turn, seq=seq, event=TurnFinished() as finished):
                yield from self._finish(f"{turn}.{seq}", finished)
            case Numbered(event=AgentStarted(agent=agent)):
                yield from self._close_step()
                self._step = agent
                yield StepStartedEvent(step_name=agent)
            case Numbered(event=ToolStarted(call_id=call_id, tool=tool)):
                yield ToolCallStartEvent(tool_call_id=call_id, tool_call_name=tool)
                yield ToolCallEndEvent(tool_call_id=call_id)
            case Numbered(turn=turn, seq=seq, event=ToolFinished() as ended):
                yield ToolCallResultEvent(
                    message_id=f"{turn}.{seq}", tool_call_id=ended.call_id, content=result_of(ended), role="tool"
                )
            case Numbered(event=TakenOver() | HandedBack() as act):
                yield CustomEvent(name=act.kind, value={"by": act.by})
            case _:
                pass

    def _write(self, delta: Delta) -> Iterator[BaseEvent]:
        """Yield more text of the open message. After a gap, the rest comes with the whole text."""
        if delta.offset == 0:
            yield from self._take_back()
            self._open = AssistantMessage(id=f"{delta.turn}.{delta.seq}.{delta.writer}", content="")
            self._writer = delta.writer
            yield TextMessageStartEvent(message_id=self._open.id, role="assistant", name=self._step or None)
        if self._open is None or delta.writer != self._writer or not delta.text:
            return
        written = self._open.content or ""
        if delta.offset == len(written):
            self._open.content = written + delta.text
            yield TextMessageContentEvent(message_id=self._open.id, delta=delta.text)

    def _say(self, message_id: str, text: str) -> Iterator[BaseEvent]:
        """Yield the rest of a message, whose whole text is known now."""
        written = (self._open.content or "") if self._open is not None else ""
        if self._open is not None and not text.startswith(written):
            yield from self._take_back()
            written = ""
        if self._open is None:
            self._open = AssistantMessage(id=message_id, content="")
            yield TextMessageStartEvent(message_id=message_id, role="assistant", name=self._step or None)
        if len(text) > len(written):
            yield TextMessageContentEvent(message_id=self._open.id, delta=text[len(written) :])
        self._open.content = text
        yield from self._close_text()

    def _close_text(self) -> Iterator[BaseEvent]:
        if self._open is not None:
            yield TextMessageEndEvent(message_id=self._open.id)
            self._said.append(self._open)
            self._open = None

    def _take_back(self) -> Iterator[BaseEvent]:
        """Yield the conversation without the open message: AG-UI cannot delete a message, but replace all of them."""
        if self._open is not None:
            yield TextMessageEndEvent(message_id=self._open.id)
            self._open = None
            yield MessagesSnapshotEvent(messages=[*self._given.messages, *self._said])

    def _close_step(self) -> Iterator[BaseEvent]:
        if self._step:
            yield StepFinishedEvent(step_name=self._step)
            self._step = ""

    def _finish(self, message_id: str, finished: TurnFinished) -> Iterator[BaseEvent]:
        if finished.text:
            yield from self._say(message_id, finished.text)
        yield from self._close_text()
        yield from self._close_step()
        asked = finished.confirmation
        yield RunFinishedEvent(
            thread_id=self._given.thread_id,
            run_id=self._given.run_id,
            result={"agent": finished.agent, "failed": finished.failed, "interrupted": finished.interrupted},
            outcome=RunFinishedSuccessOutcome()
            if asked is None
            else RunFinishedInterruptOutcome(interrupts=[interrupt(asked, finished.text)]),
        )


def interrupt(asked: Confirmation, text: str) -> Interrupt:
    """Return the question as an interrupt. Its calls are confirmed all together or not at all, so it is one."""
    return Interrupt(
        id=asked.held_id,
        reason=CONFIRMATION,
        message=text,
        response_schema=ANSWER_SCHEMA,
        expires_at=asked.expires_at.isoformat(),
        metadata={"calls": [call.model_dump() for call in asked.calls]},
    )


def result_of(ended: ToolFinished) -> str:
    """Return how a call ended. What the tool returned is for the model, and in the transcript."""
    if ended.outcome != "known":
        return RESULTS[ended.outcome]
    return DONE if ended.ok else FAILED


def customer_text(given: RunAgentInput) -> str:
    """Return the customer's last message. Raises ValueError if the conversation does not end with one, as text."""
    last = given.messages[-1] if given.messages else None
    if last is None or last.role != "user":
        raise ValueError("The last of `messages` must be the customer's, with the role `user`.")
    if isinstance(last.content, str):
        return last.content
    return "\n".join(text_parts(last.content))


def text_parts(parts: Sequence[object]) -> Iterator[str]:
    for part in parts:
        text = getattr(part, "text", None)
        if not isinstance(text, str):
            raise ValueError("This mesh reads text only. Send the message's `content` as text.")
        yield text


def answer_of(given: RunAgentInput) -> tuple[str, bool] | None:
    """Return the id of the question that the run answers, and whether the answer is yes; None if it answers none.

    Raises ValueError for an answer that is neither.
    """
    if not given.resume:
        return None
    if len(given.resume) > 1:
        raise ValueError("A run answers one interrupt: send one entry in `resume`.")
    entry = given.resume[0]
    if entry.status == "cancelled":
        return entry.interrupt_id, False
    confirmed = entry.payload.get("confirmed") if isinstance(entry.payload, dict) else None
    if not isinstance(confirmed, bool):
        raise ValueError('The `payload` of a resolved interrupt must be {"confirmed": true} or {"confirmed": false}.')
    return entry.interrupt_id, confirmed
