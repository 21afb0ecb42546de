"""Plays the conversations that mesh.toml names on a temporary mesh, checks every reply, and cleans up."""

import asyncio
import importlib
import re
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from switchboard.cli.ask import STOPPED
from switchboard.cli.console import err, note, out, width
from switchboard.cli.outbox import sent_emails
from switchboard.cli.timeline import max_concurrent, timeline
from switchboard.cli.turn_poller import TurnPoller
from switchboard.client import Refused
from switchboard.ingress_client import MeshClient
from switchboard.local.gateway import GatewayPorts
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.observe import TracePorts, tracing_or_reason
from switchboard.local.problem import InvalidCommand, Problem
from switchboard.local.process import StartFailed
from switchboard.local.restate_server import Admin
from switchboard.retry import poll
from switchboard.runtime.mesh_file import MeshProject
from switchboard.session.contract import SendReply
from switchboard.session.turn_trace import Span
from switchboard.testing.scenes import Says, Scene, pattern

INDENT = 2
TIMELINE_TIMEOUT = timedelta(seconds=2)
TIMELINE_INTERVAL = timedelta(milliseconds=50)
"""How long, and how often, to poll for the finished turn: Restate's tables lag slightly behind the reply."""


@dataclass(frozen=True)
class Played:
    """The result of a message: the reply's text, agent and turn, or the text and HTTP status of a refusal."""

    text: str
    agent: str = ""
    refused: int = 0
    turn: Span | None = None


def demo(project: MeshProject, folder: Path | None, observed: bool = False) -> int:
    """Play all scenes and return the exit code. Raises Problem if the mesh cannot be started."""
    scenes = scenes_of(project)
    work = empty_folder(folder)
    keep = folder is not None
    try:
        failures = asyncio.run(play(project, scenes, work, observed))
        keep |= bool(failures)
    except asyncio.CancelledError:
        return STOPPED
    except StartFailed as error:
        # Without logs, no service was started, so there is nothing to keep.
        keep |= (work / "logs").exists()
        raise Problem(str(error)) from error
    finally:
        shutil.rmtree(work / "restate" if keep else work, ignore_errors=True)
    for failure in failures:
        err.print(failure, style="red", markup=False, highlight=False, soft_wrap=True)
    if failures:
        note(f"The services' logs are in {work / 'logs'}.")
    return int(bool(failures))


def scenes_of(project: MeshProject) -> Sequence[Scene]:
    """Load the conversations that mesh.toml names. Raises InvalidCommand."""
    named = project.definition.demo
    if named is None:
        raise InvalidCommand(
            'This mesh has no demo. Add one to mesh.toml that names the conversations: demo = "package.module:SCENES".'
        )
    module, _, name = named.partition(":")
    sys.path.insert(0, str(project.root))
    try:
        scenes: Sequence[Scene] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidCommand(
            f"mesh.toml: cannot load demo = {named!r}: {error}. Correct the module and name of the conversations."
        ) from error
    finally:
        sys.path.remove(str(project.root))
    return scenes


def empty_folder(folder: Path | None) -> Path:
    """Return a new temporary folder, or the given one if it is empty: existing data would change the conversations."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="switchboard-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidCommand(f"{folder} is not empty. Choose an empty folder with --folder, or omit the option.")
    return folder


async def play(project: MeshProject, scenes: Sequence[Scene], folder: Path, observed: bool) -> list[str]:
    """Start a mesh, play the scenes and stop the mesh. Returns one sentence per failed check. Raises StartFailed."""
    # SIGTERM stops the demo in the same orderly way as Ctrl-C.
    task = asyncio.current_task()
    assert task is not None
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    began = time.monotonic()
    tracing, tracing_off = tracing_or_reason(folder, TracePorts.preferred()) if observed else (None, "")
    if tracing_off:
        note(tracing_off)
    # The demo model has no fallback models, so ignore any that the shell sets.
    environment = {"SWITCHBOARD_FALLBACK_MODELS": ""}
    mesh = Mesh(project, folder, Addresses.free(project.definition), None, environment, tracing=tracing)
    try:
        with err.status("Starting a mesh …"):
            await mesh.start()
        started = time.monotonic()
        note(
            f"Started a temporary mesh in {started - began:.1f} s. Answers come from rules, not from a language model."
        )
        failures = [failure for scene in scenes for failure in await play_scene(mesh, scene)]
        played = time.monotonic()
        if tracing is not None and tracing.jaeger_url:
            await keep_open(tracing.jaeger_url)
    finally:
        await mesh.stop()
    if not failures:
        messages = sum(len(scene.says) for scene in scenes)
        out.print(
            f"{messages} messages, all replies as expected, in {played - began:.0f} s. Next: switchboard up, which "
            f"opens a console at {GatewayPorts().url}/",
            style="green",
            highlight=False,
        )
    return failures


async def keep_open(jaeger_url: str) -> None:
    """Keep Jaeger running until a signal arrives. That signal does not fail the demo."""
    note(f"See the trace of every turn at {jaeger_url}. Press Ctrl-C to stop.")
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def play_scene(mesh: Mesh, scene: Scene) -> list[str]:
    title = Text.assemble((scene.title, "bold"), (f"  {scene.customer} in session {scene.session}", "dim"))
    out.print()
    out.rule(title, align="left", style="dim", characters="─")
    out.print()
    failures = []
    for says in scene.says:
        played = await say(mesh, scene, says)
        show(scene, says, played)
        failures += check(scene, says, played)
    emails = len(await sent_emails(mesh.admin))
    if emails != scene.emails:
        failures.append(f"“{scene.title}”: expected {scene.emails} e-mails in the outbox, got {emails}.")
    return failures


async def say(mesh: Mesh, scene: Scene, says: Says) -> Played:
    async with MeshClient(mesh.addresses.ingress_url, speaker=mesh.speaker) as client:
        invocation_id = await client.submit(
            scene.session, scene.customer, says.text, uuid.uuid4().hex, signed_in=scene.signed_in
        )
        try:
            reply: SendReply = await client.reply(invocation_id)
        except Refused as refusal:
            return Played(str(refusal), refused=refusal.status)
    return Played(reply.text, reply.agent, turn=await finished_turn(mesh.admin, invocation_id))


async def finished_turn(admin: Admin, invocation_id: str) -> Span | None:
    poller = TurnPoller(admin, invocation_id)
    turn = await poller.poll()

    async def finished() -> bool:
        nonlocal turn
        turn = await poller.poll()
        return turn is not None and all(span.end is not None for span in turn.walk())

    await poll(finished, TIMELINE_INTERVAL, TIMELINE_TIMEOUT)
    return turn


def show(scene: Scene, says: Says, played: Played) -> None:
    """Print the message, the reply and the chart of the turn."""
    columns = width(out)
    who = played.agent or f"HTTP {played.refused}"
    talk = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    talk.add_column(no_wrap=True, min_width=8)
    talk.add_column(max_width=columns - 12)
    talk.add_row(Text(scene.customer, style="dim"), Text(says.text))
    talk.add_row(Text(who, style="dim"), Text(played.text, style="bold" if played.agent else "yellow"))
    out.print(talk)
    out.print()
    if played.turn is not None:
        out.print(Padding(timeline(played.turn, datetime.now(UTC), columns - INDENT), (0, 0, 0, INDENT)))
        out.print()


def check(scene: Scene, says: Says, played: Played) -> list[str]:
    """Return one sentence per failed expectation."""
    where = f"“{scene.title}”, {scene.customer}: “{says.text}”"
    patterns = [pattern(written, datetime.now(UTC).date()) for written in says.reply]
    failures = [
        f"{where}: expected a reply that matches /{wanted}/, got “{played.text}”."
        for wanted in patterns
        if not re.search(wanted, played.text)
    ]
    if says.refused != played.refused:
        failures.append(f"{where}: expected {outcome(says.refused)}, got {outcome(played.refused)}.")
    if says.agent != played.agent:
        failures.append(
            f"{where}: expected a reply from {says.agent or 'no agent'}, got one from {played.agent or 'no agent'}."
        )
    tools = tools_at_once(played.turn)
    if tools < says.tools_at_once:
        failures.append(f"{where}: expected at least {says.tools_at_once} tools in parallel, got {tools}.")
    return failures


def outcome(refused: int) -> str:
    return f"a refusal with HTTP {refused}" if refused else "a reply"


def tools_at_once(turn: Span | None) -> int:
    """Return the largest number of tools that one agent ran in parallel."""
    agents: Sequence[Span] = turn.children if turn is not None else ()
    return max(
        (max_concurrent([child for child in agent.children if child.kind == "tool"]) for agent in agents), default=0
    )
