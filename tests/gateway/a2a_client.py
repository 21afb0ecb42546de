"""An A2A client for tests, of bare requests: what is sent and what comes back is seen as it is."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from switchboard.testing import JSON
from tests.gateway.front import Visitor

VERSION = {"A2A-Version": "1.0"}


@dataclass
class OtherAgent:
    """An agent of others, which speaks for one customer."""

    visitor: Visitor
    url: str = ""

    @property
    def address(self) -> str:
        return f"{self.url or self.visitor.url}/v1/a2a"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.visitor.token}", **VERSION}

    def at(self, url: str) -> "OtherAgent":
        """Return the same agent at another gateway."""
        return OtherAgent(self.visitor, url)

    async def calls(self, method: str, headers: dict[str, str] | None = None, **params: Any) -> JSON:
        """Call a method over JSON-RPC, and return the result, or the error under `error`."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        sent = self.headers if headers is None else headers
        async with self.visitor.http.post(self.address, json=body, headers=sent) as response:
            answer: JSON = await response.json(content_type=None)
            if "result" in answer:
                result: JSON = answer["result"]
                return result
            return {"status": response.status, **answer}

    async def sends(self, text: str, message_id: str = "", **more: Any) -> JSON:
        """Send a message, and return its task or the error."""
        return task_of(await self.calls("SendMessage", **message(text, message_id, **more)))

    async def answers(self, task: JSON, confirmed: bool, message_id: str = "") -> JSON:
        """Answer the question of a task."""
        sent = message("", message_id, taskId=task["id"])
        sent["message"]["parts"] = [{"data": {"confirmation": {"heldId": held_id(task), "confirmed": confirmed}}}]
        return task_of(await self.calls("SendMessage", **sent))

    async def gets(self, task: JSON, **more: Any) -> JSON:
        return await self.calls("GetTask", id=task["id"], **more)

    @asynccontextmanager
    async def streams(self, method: str, **params: Any) -> AsyncIterator[AsyncIterator[JSON]]:
        """Open a stream, and give its events."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.visitor.http.post(self.address, json=body, headers=self.headers) as response:

            async def events() -> AsyncIterator[JSON]:
                if response.content_type == "application/json":
                    yield await response.json()
                    return
                async for line in response.content:
                    if line.startswith(b"data: "):
                        answer = json.loads(line.removeprefix(b"data: "))
                        yield answer.get("result", answer)

            yield events()

    async def watches(self, method: str, **params: Any) -> list[JSON]:
        """Return all events of a stream."""
        async with self.streams(method, **params) as events:
            return [event async for event in events]


def message(text: str, message_id: str = "", **more: Any) -> JSON:
    """Return the parameters of a message. Fields of `configuration` are given under that name."""
    configuration = more.pop("configuration", {})
    parts = [{"text": text}]
    content = {"messageId": message_id or uuid4().hex, "role": "ROLE_USER", "parts": parts, **more}
    return {"message": content, "configuration": configuration}


def task_of(result: JSON) -> JSON:
    task: JSON = result.get("task", result)
    return task


def state(task: JSON) -> str:
    status: JSON = task["status"]
    return str(status["state"]).removeprefix("TASK_STATE_")


def last_state(events: list[JSON]) -> str:
    """Return the state that a stream ends with: that of its first event, the task, if nothing was left to come."""
    (last,) = events[-1].values()
    return state(last)


def held_id(task: JSON) -> str:
    return str(question(task)["heldId"])


def question(task: JSON) -> JSON:
    """Return the question in a task's status."""
    (asked,) = (part["data"]["confirmation"] for part in task["status"]["message"]["parts"] if "data" in part)
    found: JSON = asked
    return found


def reply(task: JSON) -> str:
    """Return what a task says last: its artifact, or the message of its status."""
    parts = task["artifacts"][-1]["parts"] if "artifacts" in task else task["status"]["message"]["parts"]
    return str(parts[0]["text"])


def code(answer: JSON) -> int:
    """Return the code of an error."""
    return int(answer["error"]["code"])
