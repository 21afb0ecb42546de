"""Reads what an A2A client sends: which session, which task, and what the session is to do. Pure.

The first message of a context may be sent twice before its client knows the context. So its context follows from the
caller and the message's id, and a repeated message comes to the same session under the same key.
"""

from dataclasses import dataclass

from a2a.types import Message, Part, Role
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError, TaskNotFoundError
from google.protobuf.json_format import MessageToDict

from switchboard.gateway.api import first_session
from switchboard.gateway.identity import Caller
from switchboard.session.a2a import CONFIRMATION, TaskName, read_task_id
from switchboard.session.contract import session_id
from switchboard.session_ids import mark
from switchboard.speaker import SpeakerKeys

PREFIX = "a2a"
"""Begins the ids of contexts that follow from a message."""

HELD_ID_MAX_CHARS = 64

NO_TASK = "There is no such task in your contexts."
OTHER_CONTEXT = "The message's contextId is not that of its task. Leave the contextId out, or send the task's own."
NOT_USER = "The role of a message must be ROLE_USER."
PARTS = (
    "A message needs text parts, or one data part that answers a question: "
    '{"confirmation": {"heldId": "…", "confirmed": true}}. Files are not supported.'
)
NOT_IN_TASK = "The answer to a question belongs to the task that asked it. Send the task's id as taskId."


@dataclass(frozen=True)
class Answer:
    """The customer's yes or no to a question."""

    held_id: str
    confirmed: bool


@dataclass(frozen=True)
class Incoming:
    """A message: the task that it starts or continues, its text or answer, and the key that makes a retry safe."""

    name: TaskName
    key: str
    continues: bool
    text: str = ""
    answer: Answer | None = None


def read_message(message: Message, caller: Caller, speaker: SpeakerKeys | None) -> Incoming:
    """Return what the message asks for. `speaker` tags contexts of callers before sign-in. Raises A2AError."""
    if message.role != Role.ROLE_USER:
        raise InvalidParamsError(NOT_USER)
    task = task_of(caller, message.message_id)
    if message.task_id:
        name = task_name(message.task_id)
        if message.context_id not in ("", name.session_id):
            raise InvalidParamsError(OTHER_CONTEXT)
    else:
        name = TaskName(context_of(message, caller, speaker), task)
    incoming = Incoming(name, key_of(task), bool(message.task_id), *read_parts(list(message.parts)))
    if incoming.answer is not None and not incoming.continues:
        raise InvalidParamsError(NOT_IN_TASK)
    return incoming


def task_name(task_id: str) -> TaskName:
    """Return the parts of a task's id. Raises A2AError."""
    name = read_task_id(task_id)
    if name is None:
        raise TaskNotFoundError(NO_TASK)
    return name


def key_of(task: str) -> str:
    """Return the idempotency key of the message that starts or continues under this name."""
    return f"{PREFIX}-{task}"


def task_of(caller: Caller, message_id: str) -> str:
    """Return the name of a message's task in its session. No other caller's message has the same."""
    return mark(f"{caller.standing}/{message_id}")


def context_of(message: Message, caller: Caller, speaker: SpeakerKeys | None) -> str:
    """Return the message's session. Without one, it follows from the caller and the message's id."""
    if message.context_id:
        try:
            return session_id(message.context_id)
        except ValueError as error:
            raise InvalidParamsError(f"The contextId {error}.") from error
    return first_session(caller, PREFIX, message.message_id, speaker)


def read_parts(parts: list[Part]) -> tuple[str, Answer | None]:
    """Return the text of a message, or its answer to a question. Raises A2AError."""
    texts = [part.text for part in parts if part.HasField("text")]
    answers = [read_answer(part) for part in parts if part.HasField("data")]
    if len(texts) + len(answers) != len(parts) or len(answers) > 1 or bool(texts) == bool(answers):
        raise ContentTypeNotSupportedError(PARTS)
    return "\n".join(texts), answers[0] if answers else None


def read_answer(part: Part) -> Answer:
    data = MessageToDict(part.data)
    answer = data.get(CONFIRMATION) if isinstance(data, dict) else None
    held_id, confirmed = (answer.get("heldId"), answer.get("confirmed")) if isinstance(answer, dict) else (None, None)
    if not isinstance(held_id, str) or not isinstance(confirmed, bool) or not 1 <= len(held_id) <= HELD_ID_MAX_CHARS:
        raise ContentTypeNotSupportedError(PARTS)
    return Answer(held_id, confirmed)
