"""State of the running server, and the answer to one request body."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from switchboard.demo_model.faults import (
    GARBAGE,
    SILENT_KINDS,
    Fault,
    FaultKind,
    FaultPlan,
    corrupt_reply,
    raise_http_fault,
)
from switchboard.demo_model.recorder import Record, Recorder
from switchboard.demo_model.recordings import Recordings
from switchboard.demo_model.rules import decide
from switchboard.demo_model.script import Position, Script, Step, fill_references
from switchboard.demo_model.settings import WORD_MS
from switchboard.demo_model.wire import ApiError, Reply, Request, build_response, read_request

# Maximum number of fault counters. There is one per conversation and step of a script. The oldest is dropped first.
FAULT_COUNTS_MAX = 10_000

FaultCountKey = tuple[str, Position]


class NoAnswer(Exception):
    """The client must not get an HTTP response. `kind` is timeout or hang_up."""

    def __init__(self, kind: FaultKind) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Answer:
    """`streams` sends the body, a response, as events. `breaks_off` ends the connection in the middle of them."""

    status: int
    body: bytes
    retry_after_s: int | None = None
    streams: bool = False
    breaks_off: bool = False


class Engine:
    """The demo model. It replies by rules, unless it has a script or recordings."""

    def __init__(
        self,
        script: Script | None = None,
        latency_ms: int = 0,
        recordings: Recordings | None = None,
        word_ms: int = WORD_MS,
    ) -> None:
        self._start_script = script
        self._start_recordings = recordings
        self.script = script
        self.recordings = recordings
        self.latency_ms = latency_ms
        self.word_ms = word_ms
        self.faults = FaultPlan()
        self.recorder = Recorder()
        self.stopping = asyncio.Event()
        self._fault_counts: OrderedDict[FaultCountKey, int] = OrderedDict()

    @property
    def mode(self) -> str:
        if self.script is not None:
            return "script"
        return "rules" if self.recordings is None else "recordings"

    def use_script(self, script: Script) -> None:
        self.script = script
        self._fault_counts.clear()

    def drop_script(self) -> None:
        """Restore the script that the server was started with."""
        self.script = self._start_script
        self._fault_counts.clear()

    def use_recordings(self, recordings: Recordings) -> None:
        """Play these recordings instead of the script or the rules."""
        self.drop_script()
        self.script, self.recordings = None, recordings

    def drop_recordings(self) -> None:
        """Restore the script and recordings that the server was started with."""
        self.drop_script()
        self.recordings = self._start_recordings

    async def answer(self, body: bytes) -> Answer:
        """Answer one `POST /v1/responses` and record it. Raises NoAnswer."""
        record = self.recorder.begin(body)
        answer = await self._answer(body, record)
        record.status, record.answer = answer.status, answer.body
        return answer

    async def _answer(self, body: bytes, record: Record) -> Answer:
        fault: Fault | None = None
        try:
            request = read_request(body)
            record.session = request.session
            fault = self.faults.take(request)
            reply, scripted_fault = self._reply(request, fault)
            fault = fault or scripted_fault
            await self.pause(self.latency_ms + reply.latency_ms + (fault.latency_ms if fault else 0))
            if fault is None:
                return Answer(200, build_response(request, reply), streams=request.streams)
            return self._faulty(fault, request, reply)
        except ApiError as error:
            limited = fault if fault is not None and fault.kind is FaultKind.HTTP_429 else None
            return Answer(error.status, error.body(), limited.retry_after_s if limited else None)

    def _reply(self, request: Request, injected: Fault | None) -> tuple[Reply, Fault | None]:
        """Return the reply, and the fault that the script has for this request instead, if any."""
        if self.script is None:
            return (decide(request) if self.recordings is None else self.recordings.reply(request)), None
        if (
            injected is not None
            and injected.kind is not FaultKind.LATENCY
            and injected.kind is not FaultKind.BROKEN_JSON
        ):
            return Reply(), None  # The reply would be discarded, and must not use up a scripted fault.
        position, step = self.script.find(request)
        step, fault = self._skip_used_faults(request, position, step)
        return fill_references(step.reply, request), fault

    def _skip_used_faults(self, request: Request, position: Position, step: Step) -> tuple[Step, Fault | None]:
        """Skip the faults that this conversation has already used up."""
        key = (request.session, position)
        hits = self._fault_counts.get(key, 0)
        skipped = 0
        while step.fault is not None and step.then is not None:
            if step.fault.times < 0 or hits < skipped + step.fault.times:
                self._count(key, hits + 1)
                return step, step.fault
            skipped += step.fault.times
            step = step.then
        return step, None

    def _count(self, key: FaultCountKey, hits: int) -> None:
        self._fault_counts[key] = hits
        self._fault_counts.move_to_end(key)
        if len(self._fault_counts) > FAULT_COUNTS_MAX:
            self._fault_counts.popitem(last=False)

    def _faulty(self, fault: Fault, request: Request, reply: Reply) -> Answer:
        if fault.kind in SILENT_KINDS:
            raise NoAnswer(fault.kind)
        if fault.kind is FaultKind.BREAK_OFF:
            if not request.streams:
                raise NoAnswer(FaultKind.HANG_UP)
            return Answer(200, build_response(request, reply), streams=True, breaks_off=True)
        if fault.kind is FaultKind.GARBAGE:
            return Answer(200, GARBAGE)
        raise_http_fault(fault, request.model)
        return Answer(200, build_response(request, corrupt_reply(fault, request, reply)), streams=request.streams)

    async def pause(self, ms: int) -> None:
        """Wait, but stop early when the server stops."""
        if ms > 0:
            try:
                await asyncio.wait_for(self.stopping.wait(), ms / 1000)
            except TimeoutError:
                return
