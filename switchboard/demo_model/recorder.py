"""Records the latest requests and answers as raw bytes, and parses them only on demand."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from switchboard.demo_model.conversation import Conversation
from switchboard.demo_model.wire import ApiError, JsonObject, read_request

RECORDS_MAX = 2_000
RECORDED_BYTES_MAX = 64 * 1024 * 1024


@dataclass(slots=True)
class Record:
    """`at` is in seconds since the epoch. `status` is 0 while, or if, there is no HTTP response.

    `session` is empty for a request that cannot be read.
    """

    at: float
    body: bytes
    session: str = ""
    status: int = 0
    answer: bytes = b""


class Recorder:
    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._bytes = 0
        self.count = 0

    def begin(self, body: bytes) -> Record:
        """Record a request when it arrives, so that unanswered requests are recorded too."""
        record = Record(time.time(), body)
        self.count += 1
        self._records.append(record)
        self._bytes += len(body)
        while len(self._records) > RECORDS_MAX or self._bytes > RECORDED_BYTES_MAX:
            self._bytes -= len(self._records.popleft().body)
        return record

    def clear(self) -> None:
        self._records.clear()
        self._bytes = self.count = 0

    def as_json(self, session: str = "", full: bool = False) -> Iterator[JsonObject]:
        """Yield the records as JSON objects, oldest first. `session` selects one conversation."""
        # Reading all records takes seconds when there are many.
        for record in [each for each in self._records if not session or each.session == session]:
            yield _describe(record, full)


def _describe(record: Record, full: bool) -> JsonObject:
    line: JsonObject = {"at": record.at, "status": record.status, "session": ""}
    try:
        request = read_request(record.body)
    except ApiError as error:
        line["invalid"] = error.message
    else:
        talk = Conversation(request.items)
        line |= {
            "session": request.session,
            "metadata": request.metadata,
            "model": request.model,
            "user": talk.last_user_text,
            "step": talk.replies,
            "items": len(request.items),
        }
    line["answer"] = _json_or_text(record.answer)
    if full:
        line["body"] = _json_or_text(record.body)
    elif isinstance(answer := line["answer"], dict) and "output" in answer:
        line["answer"] = {"status": answer["status"], "output": answer["output"]}
    return line


def _json_or_text(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode(errors="replace")
