"""A session's task as the A2A protocol 1.0 shows it: its JSON, by the names of the protocol. Pure.

A context is a session. A task is one message of the customer and the answers to the questions that it led to.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from switchboard.messages import Confirmation, ModelReply, ToolCall, ToolResult, UserText
from switchboard.session.contract import SESSION_ID, SessionTask, TurnRecord
from switchboard.session.state import NOT_DONE

JSON = dict[str, Any]

SUBMITTED, WORKING, INPUT_REQUIRED = "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING", "TASK_STATE_INPUT_REQUIRED"
COMPLETED, FAILED, CANCELED = "TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED"

TERMINAL = (COMPLETED, FAILED, CANCELED)
"""States that never change."""

NOT_ANSWERED = "The question was not answered, so no changes were made."
NOT_STARTED = (
    "The message was not answered, and nothing of it is recorded. Send it again, with a new messageId if the same one "
    "is refused."
)

CONFIRMATION = "confirmation"
"""The entry of a data part that asks for the customer's yes or no, and of the one that answers."""

ANSWER_SCHEMA = {
    "type": "object",
    "properties": {
        CONFIRMATION: {
            "type": "object",
            "properties": {"heldId": {"type": "string"}, "confirmed": {"type": "boolean"}},
            "required": ["heldId", "confirmed"],
        }
    },
    "required": [CONFIRMATION],
}
"""The data part that answers a question, in a message with the same taskId."""

TASK_ID = re.compile(rf"({SESSION_ID})~([A-Za-z0-9_-]{{22}})")


@dataclass(frozen=True)
class TaskName:
    """A task's id, in parts: the session, and the task's id in it."""

    session_id: str
    task: str

    def __str__(self) -> str:
        return f"{self.session_id}~{self.task}"


def read_task_id(task_id: str) -> TaskName | None:
    """Return the parts of a task's id; None for a text that is none."""
    found = TASK_ID.fullmatch(task_id)
    return TaskName(found[1], found[2]) if found else None


def submitted(name: TaskName, failed: bool = False) -> JSON:
    """Return a task whose message waits for its turn, or has ended without one."""
    status: JSON = {"state": SUBMITTED}
    if failed:
        status = {"state": FAILED, "message": agent_message(name, "0", [text_part(NOT_STARTED)])}
    return {"id": str(name), "contextId": name.session_id, "status": status}


def task_json(name: TaskName, task: SessionTask, now: datetime) -> JSON:
    """Return a task with its status, its history and, when it is completed, its reply as an artifact."""
    state = state_of(task, now)
    shown: JSON = {
        "id": str(name),
        "contextId": name.session_id,
        "status": status_json(name, task, state),
        "history": [message for record in task.turns for message in messages_of(name, record)],
    }
    if state == COMPLETED:
        shown["artifacts"] = [reply_artifact(task.turns[-1].turn, task.turns[-1].reply)]
    return shown


def state_of(task: SessionTask, now: datetime) -> str:
    """Return the state of a task. One whose question was not answered in time has ended."""
    if task.running is not None or not task.turns:
        return WORKING
    last = task.turns[-1]
    if task.asked:
        return INPUT_REQUIRED if task.confirmation is not None and now < task.confirmation.expires_at else CANCELED
    if last.failed:
        return FAILED
    declined = last.reply == NOT_DONE and not last.agents
    return CANCELED if last.interrupted or declined else COMPLETED


def status_json(name: TaskName, task: SessionTask, state: str) -> JSON:
    """Return a task's status. A completed task has its reply in an artifact, and any other one in the message."""
    at = task.running.since if task.running is not None else task.turns[-1].at
    status: JSON = {"state": state, "timestamp": timestamp(at)}
    if state in (WORKING, COMPLETED):
        return status
    last = task.turns[-1]
    parts = [text_part(last.reply)]
    if state == INPUT_REQUIRED and task.confirmation is not None:
        parts.append(question_part(last, task.confirmation))
    elif task.asked:
        parts = [text_part(NOT_ANSWERED)]
    return {**status, "message": agent_message(name, str(last.turn), parts)}


def messages_of(name: TaskName, record: TurnRecord) -> Iterator[JSON]:
    """Yield what the customer wrote in a turn, and the reply."""
    for message in record.messages:
        if isinstance(message, UserText):
            yield {
                "messageId": f"{name}/{record.turn}/user",
                "contextId": name.session_id,
                "taskId": str(name),
                "role": "ROLE_USER",
                "parts": [text_part(message.text)],
            }
    yield agent_message(name, str(record.turn), [text_part(record.reply)])


def agent_message(name: TaskName, turn: str, parts: list[JSON]) -> JSON:
    return {
        "messageId": f"{name}/{turn}/agent",
        "contextId": name.session_id,
        "taskId": str(name),
        "role": "ROLE_AGENT",
        "parts": parts,
    }


def text_part(text: str) -> JSON:
    return {"text": text, "mediaType": "text/plain"}


def reply_artifact(turn: int, text: str) -> JSON:
    return {"artifactId": f"reply-{turn}", "name": "reply", "parts": [text_part(text)]}


def question_part(record: TurnRecord, asked: Confirmation) -> JSON:
    """Return the question as data: the exact calls, and the form of the answer."""
    arguments = [call.arguments for call in held_calls(record)]
    calls = [
        {"tool": call.tool, "question": call.question, **arguments_json(arguments, position)}
        for position, call in enumerate(asked.calls)
    ]
    question = {"heldId": asked.held_id, "expiresAt": timestamp(asked.expires_at), "calls": calls}
    return {"data": {CONFIRMATION: question, "answerSchema": ANSWER_SCHEMA}, "mediaType": "application/json"}


def held_calls(record: TurnRecord) -> list[ToolCall]:
    """Return the calls of a turn that wait for the customer's yes, in the model's order."""
    held = {each.call_id for each in record.messages if isinstance(each, ToolResult) and each.outcome == "held"}
    replies = (each for each in record.messages if isinstance(each, ModelReply))
    return [call for reply in replies for call in reply.calls if call.call_id in held]


def arguments_json(arguments: list[str], position: int) -> JSON:
    """Return the arguments of a held call, as the model wrote them."""
    try:
        return {"arguments": json.loads(arguments[position])}
    except (ValueError, IndexError):
        return {}


def timestamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
