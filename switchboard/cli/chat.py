"""An interactive chat in the terminal: one prompt, one turn at a time."""

import asyncio
import contextlib

from rich.text import Text

from switchboard.cli.ask import Conversation, ask, interrupt_turn
from switchboard.cli.console import err, note, out
from switchboard.cli.transcript import show
from switchboard.client import MeshError, Refused
from switchboard.session.contract import SendReply, SessionStatus, TurnRecord

# Importing readline gives input() line editing and a history. Some platforms lack it; chat works without it.
with contextlib.suppress(ImportError):
    import readline  # noqa: F401

HELP = "/transcript  /status  /quit"
STOPPED = "The turn was stopped. /transcript shows which tool calls completed."
SESSION_UNKNOWN = 404

ALREADY_ENDED = "The turn had already ended. Its reply is in /transcript."


def chat(conversation: Conversation) -> None:
    """Chat until /quit or the end of the input. Raises MeshError only before the first prompt."""
    # Fail before the first prompt if the mesh is not running, not after the user has typed a message.
    asyncio.run(check_mesh(conversation))
    note(f"{conversation.customer_id} in session {conversation.session_id} · {HELP}")
    for line in iter(lambda: read_line(f"{conversation.customer_id} › "), None):
        if line == "/quit":
            break
        if line:
            answer_line(conversation, line)


def read_line(prompt: str) -> str | None:
    """Return the typed line, or None at the end of the input. Ctrl-C clears the line, as in a shell."""
    try:
        return input(prompt).strip()
    except EOFError:
        out.print()
        return None
    except KeyboardInterrupt:
        out.print()
        return ""


def answer_line(conversation: Conversation, line: str) -> None:
    """Run a command or send a message. The chat continues after an error. Ctrl-C stops the turn."""
    try:
        match line:
            case "/transcript":
                show(asyncio.run(turns_of(conversation)), conversation.customer_id, out)
            case "/status":
                show_status(asyncio.run(status_of(conversation)))
            case _ if line.startswith("/"):
                note(HELP)
            case _:
                show_answer(asyncio.run(ask(conversation, line, err)))
    except MeshError as problem:
        err.print(str(problem), style="red", markup=False, highlight=False)
    except KeyboardInterrupt:
        stop_turn(conversation)


def stop_turn(conversation: Conversation) -> None:
    try:
        note(STOPPED if asyncio.run(interrupt_turn(conversation)) else ALREADY_ENDED)
    except MeshError as problem:
        err.print(str(problem), style="red", markup=False, highlight=False)


def show_answer(reply: SendReply) -> None:
    out.print(Text.assemble((f"{reply.agent} › ", "bold"), (reply.text, "yellow" if reply.failed else "")))
    out.print()


def show_status(status: SessionStatus) -> None:
    tokens = sum(agent.usage.input_tokens + agent.usage.output_tokens for agent in status.spending)
    note(f"turn {status.turns_total} · {status.active_agent} is answering · {tokens:,} tokens")


async def check_mesh(conversation: Conversation) -> None:
    """Raises MeshError if the gateway does not answer. The session may not exist yet."""
    async with conversation.client() as mesh:
        try:
            await mesh.status(conversation.session_id)
        except Refused as refusal:
            if refusal.status != SESSION_UNKNOWN:
                raise


async def turns_of(conversation: Conversation) -> list[TurnRecord]:
    async with conversation.client() as mesh:
        return await mesh.turns(conversation.session_id)


async def status_of(conversation: Conversation) -> SessionStatus:
    async with conversation.client() as mesh:
        return await mesh.status(conversation.session_id)
