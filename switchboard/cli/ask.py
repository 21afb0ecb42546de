"""Sends one message and prints its reply: what `ask`, `chat` and `demo` have in common."""

import asyncio
import re
import sys
import uuid
from dataclasses import dataclass

from rich.console import Console

from switchboard.cli.console import err, fail, note, on_terminal, out
from switchboard.cli.progress import progress
from switchboard.cli.tracing import message_span, traces
from switchboard.client import MeshClient
from switchboard.local.problem import InvalidCommand
from switchboard.local.restate_server import Admin
from switchboard.session.contract import MESSAGE_MAX_BYTES, SendReply

REPLY_FAILED = 3
"""Exit code when the reply is an apology."""

STOPPED = 130
"""Exit code after a Ctrl-C, as a shell has it."""

CUSTOMER_IN_ID_MAX_CHARS = 48


@dataclass(frozen=True)
class Conversation:
    """Who speaks, in which session, and where the mesh is."""

    session_id: str
    customer_id: str
    ingress_url: str
    admin_url: str
    signed_in: bool = True


def default_session(customer_id: str, signed_in: bool = True) -> str:
    """The same for every message of a customer, so that a conversation goes on from one `ask` to the next."""
    return f"{'demo' if signed_in else 'guest'}-{_in_id(customer_id)}"


def new_session(customer_id: str) -> str:
    return f"{_in_id(customer_id)}-{uuid.uuid4().hex[:8]}"


def _in_id(customer_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", customer_id)[:CUSTOMER_IN_ID_MAX_CHARS]


async def ask(conversation: Conversation, text: str, progress_on: Console, interrupt: bool = False) -> SendReply:
    """Send a message and wait for its reply, drawing the turn meanwhile if `progress_on` is a terminal.

    With `interrupt` the turn that runs is stopped first; otherwise the message waits behind it.
    """
    async with MeshClient(conversation.ingress_url, notify=note) as mesh:
        handler, key = "steer" if interrupt else "send", uuid.uuid4().hex
        with message_span(conversation.session_id) as headers:
            who, signed_in = conversation.customer_id, conversation.signed_in
            invocation_id = await mesh.submit(
                conversation.session_id, who, text, key, handler, signed_in, headers=headers
            )
            async with progress(Admin(conversation.admin_url), invocation_id, progress_on):
                reply = await mesh.reply(invocation_id)
    if traces():
        note(f"trace {reply.trace_id}")
    return reply


def ask_once(conversation: Conversation, text: str, interrupt: bool = False) -> int:
    """Send a message and print its reply; the exit code."""
    try:
        return show_reply(asyncio.run(ask(conversation, text, err, interrupt)))
    except KeyboardInterrupt:
        fail(
            "What was sent goes on without you; its answer will be in `switchboard transcript`. "
            "`switchboard interrupt` stops it.",
            STOPPED,
        )


async def interrupt_turn(conversation: Conversation) -> bool:
    """Stop the turn that runs in a session; False when none does."""
    async with MeshClient(conversation.ingress_url) as mesh:
        return await mesh.interrupt(conversation.session_id, conversation.customer_id)


def message_text(words: list[str] | None) -> str:
    """The message: the words of the command line, or standard input for `-` and in a pipe."""
    if words and words != ["-"]:
        return " ".join(words)
    # One byte more than is taken: a longer message is then refused by the session, not cut by us.
    waits_for_typing = not words and sys.stdin.isatty()
    text = "" if waits_for_typing else sys.stdin.buffer.read(MESSAGE_MAX_BYTES + 1).decode(errors="replace").strip()
    if not text:
        raise InvalidCommand('Write what to ask, for example: switchboard ask "how much is my balance?"')
    return text


def show_reply(reply: SendReply) -> int:
    """The reply and nothing else on stdout; the exit code. In a pipe it is as it is, on a terminal it is wrapped."""
    if on_terminal(out):
        out.print(reply.text, markup=False, highlight=False, emoji=False)
    else:
        out.out(reply.text, highlight=False)
    return REPLY_FAILED if reply.failed else 0


def tell_session(session_id: str) -> None:
    note(f"session {session_id}")
