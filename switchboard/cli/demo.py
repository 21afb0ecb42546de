"""Plays the conversations that mesh.toml names on a mesh of its own, checks every reply, and cleans up."""

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
from switchboard.cli.progress import Watch
from switchboard.cli.timeline import at_once, timeline
from switchboard.cli.trace import Span
from switchboard.client import MeshClient, Refused
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.observe import TracePorts, observe_or_say
from switchboard.local.problem import InvalidCommand, Problem
from switchboard.local.process import StartFailed
from switchboard.local.restate_server import Admin
from switchboard.retry import poll
from switchboard.runtime.mesh_file import MeshProject
from switchboard.session.contract import SendReply
from switchboard.testing.scenes import Says, Scene, pattern

INDENT = 2
TIMELINE_TIMEOUT = timedelta(seconds=2)
TIMELINE_INTERVAL = timedelta(milliseconds=50)
"""The reply is there a moment before Restate's tables say so."""


@dataclass(frozen=True)
class Played:
    """What came of a message: the reply's text, its agent and the turn; or the sentence and status of a refusal."""

    text: str
    agent: str = ""
    refused: int = 0
    turn: Span | None = None


def demo(project: MeshProject, folder: Path | None, observed: bool = False) -> int:
    """Play everything; the exit code. Raises Problem when no mesh could be started."""
    scenes = scenes_of(project)
    place = own_folder(folder)
    keep = folder is not None
    try:
        complaints = asyncio.run(play(project, scenes, place, observed))
        keep |= bool(complaints)
    except asyncio.CancelledError:
        return STOPPED
    except StartFailed as failure:
        # Without logs it was our machine, and not a service, that failed; then there is nothing to keep.
        keep |= (place / "logs").exists()
        raise Problem(str(failure)) from failure
    finally:
        shutil.rmtree(place / "restate" if keep else place, ignore_errors=True)
    for complaint in complaints:
        err.print(complaint, style="red", markup=False, highlight=False, soft_wrap=True)
    if complaints:
        note(f"The logs of the services are in {place / 'logs'}.")
    return int(bool(complaints))


def scenes_of(project: MeshProject) -> Sequence[Scene]:
    """Return the conversations that mesh.toml names. Raises InvalidCommand."""
    named = project.definition.demo
    if named is None:
        raise InvalidCommand(
            'This mesh has no demo. Name its conversations in mesh.toml: demo = "package.module:SCENES".'
        )
    module, _, name = named.partition(":")
    sys.path.insert(0, str(project.root))
    try:
        scenes: Sequence[Scene] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidCommand(f"mesh.toml: demo = {named!r} cannot be loaded: {error}.") from error
    finally:
        sys.path.remove(str(project.root))
    return scenes


def own_folder(folder: Path | None) -> Path:
    """A new folder; one that is given has to be empty, for what is in it would change the conversations."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="switchboard-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidCommand(f"{folder} is not empty; name a folder that is, or leave --folder out.")
    return folder


async def play(project: MeshProject, scenes: Sequence[Scene], folder: Path, observed: bool) -> list[str]:
    """Start a mesh, play, end it. What was not as it should be, as sentences. Raises StartFailed."""
    # Ended from outside it ends like on Ctrl-C, in order.
    task = asyncio.current_task()
    assert task is not None
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    began = time.monotonic()
    observe, off = observe_or_say(folder, TracePorts.usual()) if observed else (None, "")
    if off:
        note(off)
    # A fallback that the shell names is none of the demo model's.
    environment = {"SWITCHBOARD_FALLBACK_MODELS": ""}
    mesh = Mesh(project, folder, Addresses.free(project.definition), None, environment, observe=observe)
    try:
        with err.status("Starting a mesh …"):
            await mesh.start()
        started = time.monotonic()
        note(
            f"A mesh of its own, ready in {started - began:.1f} s; answers come from rules, not from a language model."
        )
        complaints = [complaint for scene in scenes for complaint in await play_scene(mesh, scene)]
        played = time.monotonic()
        if observe is not None and observe.jaeger_url:
            await look_at(observe.jaeger_url)
    finally:
        await mesh.stop()
    if not complaints:
        messages = sum(len(scene.says) for scene in scenes)
        out.print(
            f"{messages} messages, every reply as it should be, in {played - began:.0f} s. Next: switchboard up",
            style="green",
            highlight=False,
        )
    return complaints


async def look_at(jaeger_url: str) -> None:
    """Leave the traces where they can be looked at, until a signal comes: it ends the demo, which has not failed."""
    note(f"Every turn is a trace: {jaeger_url}. Ctrl-C ends it.")
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def play_scene(mesh: Mesh, scene: Scene) -> list[str]:
    title = Text.assemble((scene.title, "bold"), (f"  {scene.customer} in session {scene.session}", "dim"))
    out.print()
    out.rule(title, align="left", style="dim", characters="─")
    out.print()
    complaints = []
    for says in scene.says:
        played = await say(mesh, scene, says)
        show(scene, says, played)
        complaints += check(scene, says, played)
    emails = len(await sent_emails(mesh.admin))
    if emails != scene.emails:
        complaints.append(f"“{scene.title}”: expected {scene.emails} e-mails in the outbox, found {emails}.")
    return complaints


async def say(mesh: Mesh, scene: Scene, says: Says) -> Played:
    async with MeshClient(mesh.addresses.ingress_url) as client:
        invocation_id = await client.submit(
            scene.session, scene.customer, says.text, uuid.uuid4().hex, signed_in=scene.signed_in
        )
        try:
            reply: SendReply = await client.reply(invocation_id)
        except Refused as refusal:
            return Played(str(refusal), refused=refusal.status)
    return Played(reply.text, reply.agent, turn=await finished_turn(mesh.admin, invocation_id))


async def finished_turn(admin: Admin, invocation_id: str) -> Span | None:
    watch = Watch(admin, invocation_id)
    turn = await watch.look()

    async def finished() -> bool:
        nonlocal turn
        turn = await watch.look()
        return turn is not None and all(span.end is not None for span in turn.walk())

    await poll(finished, TIMELINE_INTERVAL, TIMELINE_TIMEOUT)
    return turn


def show(scene: Scene, says: Says, played: Played) -> None:
    """The message, the reply, and the turn as bars."""
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
    """What was expected and did not come, one sentence each."""
    where = f"“{scene.title}”, {scene.customer}: “{says.text}”"
    wanted = [pattern(written, datetime.now(UTC).date()) for written in says.reply]
    complaints = [
        f"{where}: expected a reply with /{wish}/, got “{played.text}”."
        for wish in wanted
        if not re.search(wish, played.text)
    ]
    if says.refused != played.refused:
        complaints.append(f"{where}: expected {outcome(says.refused)}, got {outcome(played.refused)}.")
    if says.agent != played.agent:
        complaints.append(f"{where}: expected the answer from {says.agent or 'nobody'}, got it from {played.agent}.")
    tools = tools_at_once(played.turn)
    if tools < says.tools_at_once:
        complaints.append(f"{where}: expected {says.tools_at_once} tools at once, saw {tools}.")
    return complaints


def outcome(refused: int) -> str:
    return f"a refusal with HTTP {refused}" if refused else "a reply"


def tools_at_once(turn: Span | None) -> int:
    """The most tools that one agent had running at the same moment."""
    agents: Sequence[Span] = turn.children if turn is not None else ()
    return max((at_once([child for child in agent.children if child.kind == "tool"]) for agent in agents), default=0)
