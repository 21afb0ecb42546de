"""Sends one message and prints the reply: shared by `ask` and `chat`."""

import asyncio
import os
import re
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from switchboard.cli.console import err, fail, note, on_terminal, out
from switchboard.cli.progress import progress
from switchboard.cli.tracing import message_span, tracing_enabled
from switchboard.client import MeshClient
from switchboard.local.keys import SPEAKER_FILE
from switchboard.local.problem import InvalidCommand
from switchboard.local.restate_server import Admin
from switchboard.session.contract import MESSAGE_MAX_BYTES, SendReply
from switchboard.speaker import SpeakerKeys

REPLY_FAILED = 3
"""Exit code when the mesh could not answer and apologised."""

STOPPED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as in a shell."""

CUSTOMER_IN_ID_MAX_CHARS = 48


@dataclass(frozen=True)
class Conversation:
    """A customer's session, the addresses of the mesh, and the keys that sign requests to it."""

    session_id: str
    customer_id: str
    ingress_url: str
    admin_url: str
    signed_in: bool = True
    speaker: SpeakerKeys | None = field(default=None, repr=False)


def speaker_of(folder: Path) -> SpeakerKeys | None:
    """Return the keys in SWITCHBOARD_SPEAKER_KEYS, or the key of the local mesh in this folder; None without either."""
    given = [key.strip() for key in os.environ.get("SWITCHBOARD_SPEAKER_KEYS", "").split(",") if key.strip()]
    file = folder / SPEAKER_FILE
    if not given and file.exists():
        given = [file.read_text(encoding="utf-8")]
    return SpeakerKeys(given) if given else None


def default_session(customer_id: str, signed_in: bool = True) -> str:
    """Return the customer's default session id. It is constant, so that each `ask` continues the conversation."""
    return f"{'demo' if signed_in else 'guest'}-{_id_part(customer_id)}"


def new_session(customer_id: str) -> str:
    return f"{_id_part(customer_id)}-{uuid.uuid4().hex[:8]}"


def _id_part(customer_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", customer_id)[:CUSTOMER_IN_ID_MAX_CHARS]


async def ask(conversation: Conversation, text: str, progress_on: Console, interrupt: bool = False) -> SendReply:
    """Send a message and wait for the reply. If `progress_on` is a terminal, draw the turn while it runs.

    With `interrupt`, the running turn is stopped first. Otherwise the message waits until that turn has ended.
    """
    async with MeshClient(conversation.ingress_url, note, conversation.speaker) as mesh:
        handler, key = "steer" if interrupt else "send", uuid.uuid4().hex
        with message_span(conversation.session_id) as headers:
            who, signed_in = conversation.customer_id, conversation.signed_in
            invocation_id = await mesh.submit(
                conversation.session_id, who, text, key, handler, signed_in, headers=headers
            )
            async with progress(Admin(conversation.admin_url), invocation_id, progress_on):
                reply = await mesh.reply(invocation_id)
    if tracing_enabled():
        note(f"trace {reply.trace_id}")
    return reply


def ask_once(conversation: Conversation, text: str, interrupt: bool = False) -> int:
    """Send a message, print the reply and return the exit code."""
    try:
        return show_reply(asyncio.run(ask(conversation, text, err, interrupt)))
    except KeyboardInterrupt:
        fail(
            "The message was sent and its turn is still running. The reply will be in `switchboard transcript`; "
            "to stop the turn, run `switchboard interrupt`.",
            STOPPED,
        )


async def interrupt_turn(conversation: Conversation) -> bool:
    """Stop the running turn of a session. Returns False if none is running."""
    async with MeshClient(conversation.ingress_url, speaker=conversation.speaker) as mesh:
        return await mesh.interrupt(conversation.session_id, conversation.customer_id)


def message_text(words: list[str] | None) -> str:
    """Return the message: the command-line words, or standard input for `-` or a pipe."""
    if words and words != ["-"]:
        return " ".join(words)
    # Read one byte more than the limit, so that the session rejects a message that is too long. We never cut one.
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
