"""A conversation at the terminal: one prompt, one turn after the other."""

import asyncio
import contextlib

from rich.text import Text

from switchboard.cli.ask import Conversation, ask, interrupt_turn
from switchboard.cli.console import err, note, out
from switchboard.cli.transcript import show
from switchboard.client import MeshClient, MeshError
from switchboard.session.contract import SendReply, SessionStatus, TurnRecord

# input() then has line editing and a history; there is none on some platforms, and chat works without.
with contextlib.suppress(ImportError):
    import readline  # noqa: F401

HELP = "/transcript  /status  /quit"
STOPPED = "Stopped. What was done and what was not is in /transcript."
OVER = "The turn was over already; its answer is in /transcript."


def chat(conversation: Conversation) -> None:
    """Talk until /quit or the end of the input. Raises MeshError only before the first prompt."""
    # A mesh that is not there should be known before anybody has typed a message.
    asyncio.run(knock(conversation))
    note(f"{conversation.customer_id} in session {conversation.session_id} · {HELP}")
    for line in iter(lambda: read_line(f"{conversation.customer_id} › "), None):
        if line == "/quit":
            break
        if line:
            answer_line(conversation, line)


def read_line(prompt: str) -> str | None:
    """What was typed; None at the end of the input. Ctrl-C clears the line, as in a shell."""
    try:
        return input(prompt).strip()
    except EOFError:
        out.print()
        return None
    except KeyboardInterrupt:
        out.print()
        return ""


def answer_line(conversation: Conversation, line: str) -> None:
    """A command or a message. Whatever goes wrong with it, the conversation goes on. Ctrl-C stops the turn."""
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
        note(STOPPED if asyncio.run(interrupt_turn(conversation)) else OVER)
    except MeshError as problem:
        err.print(str(problem), style="red", markup=False, highlight=False)


def show_answer(reply: SendReply) -> None:
    out.print(Text.assemble((f"{reply.agent} › ", "bold"), (reply.text, "yellow" if reply.failed else "")))
    out.print()


def show_status(status: SessionStatus) -> None:
    tokens = sum(agent.usage.input_tokens + agent.usage.output_tokens for agent in status.spending)
    note(f"turn {status.turns_total} · {status.active_agent} has the conversation · {tokens:,} tokens")


async def knock(conversation: Conversation) -> None:
    async with MeshClient(conversation.ingress_url) as mesh:
        await mesh.healthy()


async def turns_of(conversation: Conversation) -> list[TurnRecord]:
    async with MeshClient(conversation.ingress_url) as mesh:
        return await mesh.turns(conversation.session_id, conversation.customer_id)


async def status_of(conversation: Conversation) -> SessionStatus:
    async with MeshClient(conversation.ingress_url) as mesh:
        return await mesh.status(conversation.session_id, conversation.customer_id)
