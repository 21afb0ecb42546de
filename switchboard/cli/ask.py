"""Sends one message over the gateway and prints the reply: shared by `ask` and `chat`."""

import asyncio
import os
import re
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from switchboard.cli.console import fail, note, on_terminal, out
from switchboard.cli.live import drawn
from switchboard.client import AsyncClient, Replied
from switchboard.local.gateway import local_token
from switchboard.local.problem import InvalidCommand
from switchboard.session.contract import MESSAGE_MAX_BYTES, SendReply

TOKEN = "SWITCHBOARD_TOKEN"
"""Variable with a customer's token. Not an option: other users of a machine can read command lines."""

TOKEN_HOURS = 8
"""Lifetime of a token for a local mesh."""

REPLY_FAILED = 3
"""Exit code when the mesh could not answer and apologised."""

STOPPED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as in a shell."""

CUSTOMER_IN_ID_MAX_CHARS = 48
TRACING = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True)
class Conversation:
    """A customer's session at a gateway, and the token that says who the customer is."""

    session_id: str
    customer_id: str
    gateway_url: str
    token: str = field(repr=False)

    def client(self, notify: Callable[[str], None] = note) -> AsyncClient:
        return AsyncClient(self.gateway_url, self.token, notify, wait_for_mesh=False)


def token_of(folder: Path, customer_id: str, signed_in: bool) -> str:
    """Return the token in SWITCHBOARD_TOKEN, or else one for the mesh in this folder. Raises Problem without either."""
    return os.environ.get(TOKEN, "") or local_token(folder, customer_id, TOKEN_HOURS, signed_in)


def default_session(customer_id: str) -> str:
    """Return a signed-in customer's default session id. It is constant, so that `ask` continues the conversation."""
    return f"demo-{_id_part(customer_id)}"


def new_session(customer_id: str) -> str:
    return f"{_id_part(customer_id)}-{uuid.uuid4().hex[:8]}"


def guest_session(folder: Path, customer_id: str, gateway_url: str, token: str, new: bool) -> str:
    """Return the session of a customer who is not signed in. The gateway makes its id, which is kept in the folder."""
    kept = folder / f"guest-session-{_id_part(customer_id)}"
    if not new and kept.exists():
        return kept.read_text(encoding="utf-8")
    made = asyncio.run(issued_session(gateway_url, token))
    folder.mkdir(parents=True, exist_ok=True)
    # The id is all that a guest has to prove who they are.
    kept.touch(mode=0o600)
    kept.write_text(made, encoding="utf-8")
    return made


async def issued_session(gateway_url: str, token: str) -> str:
    async with AsyncClient(gateway_url, token, wait_for_mesh=False) as mesh:
        return await mesh.new_session()


def _id_part(customer_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", customer_id)[:CUSTOMER_IN_ID_MAX_CHARS]


async def ask(conversation: Conversation, text: str, progress_on: Console, interrupt: bool = False) -> SendReply:
    """Send a message and wait for the reply. If `progress_on` is a terminal, show what happens meanwhile.

    With `interrupt`, the running turn is stopped first. Otherwise the message waits until that turn has ended.
    """
    async with conversation.client() as mesh:
        if on_terminal(progress_on) and not progress_on.is_dumb_terminal:
            reply = await watched(mesh, conversation.session_id, text, progress_on, interrupt)
        else:
            reply = await mesh.send(conversation.session_id, text, interrupt=interrupt)
    if os.environ.get(TRACING) and reply.trace_id:
        note(f"trace {reply.trace_id}")
    return reply


async def watched(mesh: AsyncClient, session_id: str, text: str, console: Console, interrupt: bool) -> SendReply:
    """Send a message, and draw its events until the reply."""
    with drawn(console) as drawing:
        async for event in mesh.stream(session_id, text, interrupt=interrupt):
            if isinstance(event, Replied):
                return event.reply
            drawing.take(event)
    raise AssertionError("a stream ends with a reply or an error")


def ask_once(conversation: Conversation, text: str, progress_on: Console, interrupt: bool = False) -> int:
    """Send a message, print the reply and return the exit code."""
    try:
        return show_reply(asyncio.run(ask(conversation, text, progress_on, interrupt)))
    except KeyboardInterrupt:
        fail(
            "The message was sent and its turn is still running. The reply will be in `switchboard transcript`; "
            "to stop the turn, run `switchboard interrupt`.",
            STOPPED,
        )


async def interrupt_turn(conversation: Conversation) -> bool:
    """Stop the running turn of a session. Returns False if none is running."""
    async with conversation.client() as mesh:
        return await mesh.interrupt(conversation.session_id)


def message_text(words: list[str] | None) -> str:
    """Return the message: the command-line words, or standard input for `-` or a pipe."""
    if words and words != ["-"]:
        return " ".join(words)
    # Read one byte more than the limit, so that the mesh rejects a message that is too long. We never cut one.
    interactive = not words and sys.stdin.isatty()
    text = "" if interactive else sys.stdin.buffer.read(MESSAGE_MAX_BYTES + 1).decode(errors="replace").strip()
    if not text:
        raise InvalidCommand('There is no message to send. Example: switchboard ask "how much is my balance?"')
    return text


def show_reply(reply: SendReply) -> int:
    """Print only the reply on stdout and return the exit code. A terminal gets wrapped lines, a pipe the exact text."""
    if on_terminal(out):
        out.print(reply.text, markup=False, highlight=False, emoji=False)
    else:
        out.out(reply.text, highlight=False)
    return REPLY_FAILED if reply.failed else 0


def print_session_id(session_id: str) -> None:
    note(f"session {session_id}")
