"""Talk to a mesh over A2A, as a customer's own agent. Its questions are put to you, and your answer decides.

Start a mesh that serves A2A, and send a message:

    pip install 'switchboard-mesh[cli,a2a]'
    GATEWAY_A2A_URL=http://127.0.0.1:8000 switchboard up
    export TOKEN=$(switchboard token)
    python examples/a2a/customer.py "I want to apply for a loan of 8000 EUR over 48 months; the purpose is a car"
"""

import asyncio
import os
import sys
from typing import Any
from uuid import uuid4

import httpx
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, SendMessageRequest, Task, TaskState
from google.protobuf.json_format import MessageToDict, ParseDict

URL = os.environ.get("A2A_URL", "http://127.0.0.1:8000")
TIMEOUT_S = 60


async def send(client: Client, parts: list[Part], task: Task | None = None) -> Task:
    """Send a message, and return its task. With the same message_id, it may be sent again."""
    message = Message(message_id=uuid4().hex, role=Role.ROLE_USER, parts=parts, task_id=task.id if task else "")
    answers = [answer async for answer in client.send_message(SendMessageRequest(message=message))]
    return answers[-1].task


def question_in(task: Task) -> dict[str, Any]:
    """Return the question of a task: the exact calls that the mesh wants to make."""
    parts = MessageToDict(task.status.message)["parts"]
    found: dict[str, Any] = next(part["data"]["confirmation"] for part in parts if "data" in part)
    return found


def answer(question: dict[str, Any], confirmed: bool) -> Part:
    part = Part()
    ParseDict({"data": {"confirmation": {"heldId": question["heldId"], "confirmed": confirmed}}}, part)
    return part


def text_of(task: Task) -> str:
    parts = task.artifacts[-1].parts if task.artifacts else task.status.message.parts
    return "\n".join(part.text for part in parts if part.text)


async def main(text: str) -> None:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S) as http:
        factory = ClientFactory(ClientConfig(streaming=False, httpx_client=http))
        client = await factory.create_from_url(URL)
        task = await send(client, [Part(text=text)])
        while task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED:
            question = question_in(task)
            for call in question["calls"]:
                print(f"{call['question']} ({call['tool']} {call['arguments']})")  # noqa: T201
            typed = await asyncio.to_thread(input, "[y/N] ")
            task = await send(client, [answer(question, typed.strip().lower() == "y")], task)
        print(f"{TaskState.Name(task.status.state)}: {text_of(task)}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "how much is my balance?"))
