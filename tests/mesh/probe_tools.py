"""Tools that fail and stall in every way that tools do, as a separate deployment: `python -m tests.mesh.probe_tools`.

Each execution is logged to the file in PROBE_LOG, so that tests can count executions across kills and restarts.
"""

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path

import restate

from switchboard import serve
from switchboard.toolkit.declare import tool_service
from tests.mesh.probe_contract import Asked, Big, Gift, GiftFacts, Hold, Meet, Notify, Ok, Pay, Refuse, Wait, WhoAmI
from tests.mesh.probe_policies import policies

FAILURES = 2
POLL_SECONDS = 0.02
LOG = Path(os.environ.get("PROBE_LOG", os.devnull))

probe_tools = tool_service("ProbeTools", "Tools for tests.")
waiting: dict[str, asyncio.Event] = {}
arrived: dict[str, int] = {}


def write(line: str) -> None:
    with LOG.open("a") as log:
        log.write(line + "\n")


def count_logged(line: str) -> int:
    return LOG.read_text().splitlines().count(line)


@probe_tools.handler()
async def wait(ctx: restate.Context, request: Wait) -> Ok:
    """Take some time outside the journal, like a slow backend."""
    write(f"start {request.name}")
    await asyncio.sleep(request.milliseconds / 1000)
    write(f"done {request.name}")
    return Ok(said=request.name)


@probe_tools.handler()
async def hold(ctx: restate.Context, request: Hold) -> Ok:
    """Take as long as the test wants: until the log contains `released <name>`."""
    write(f"start {request.name}")
    while not count_logged(f"released {request.name}"):
        await asyncio.sleep(POLL_SECONDS)
    write(f"done {request.name}")
    return Ok(said=request.name)


@probe_tools.handler()
async def meet(ctx: restate.Context, request: Meet) -> Ok:
    """Answer only when `parties` calls are waiting at the same time."""
    event = waiting.setdefault(request.name, asyncio.Event())
    arrived[request.name] = arrived.get(request.name, 0) + 1
    if arrived[request.name] >= request.parties:
        event.set()
    await event.wait()
    return Ok(said=f"{request.parties} met")


@probe_tools.handler()
async def fail_at_first(ctx: restate.Context, request: Wait) -> Ok:
    """Fail FAILURES times, then succeed."""
    write(f"try {request.name}")
    if count_logged(f"try {request.name}") < FAILURES + 1:
        raise ConnectionError("the backend of this tool is unavailable")
    return Ok(said="at last")


@probe_tools.handler()
async def fail_until_released(ctx: restate.Context, request: Wait) -> Ok:
    """Fail after some time, like a call to a slow backend, until the log contains `released <name>`."""
    await asyncio.sleep(request.milliseconds / 1000)
    if not count_logged(f"released {request.name}"):
        raise TimeoutError("the backend of this tool does not answer")
    return Ok(said="at last")


@probe_tools.handler()
async def refuse(ctx: restate.Context, request: Refuse) -> Ok:
    """Refuse with an error that is not retried."""
    raise restate.TerminalError("that is against the rules", status_code=409)


@probe_tools.handler()
async def big(ctx: restate.Context, request: Big) -> Ok:
    """Return far more text than a model should read."""
    return Ok(said="é" * request.characters)


@probe_tools.handler()
async def notify(ctx: restate.Context, request: Notify) -> Ok:
    """Send a session an unprompted notification, like a workflow."""
    notification = {"customer_id": request.customer_id, "text": request.text}
    await ctx.generic_call("Session", "notify", json.dumps(notification).encode(), key=request.to_session)
    return Ok(said="told")


@probe_tools.handler()
async def pay(ctx: restate.Context, request: Pay) -> Ok:
    """Log the exact bytes of the request."""
    write(f"paid {ctx.request().body.decode()}")
    return Ok(said="paid")


@probe_tools.handler()
async def check_give(ctx: restate.Context, request: Gift) -> GiftFacts:
    """Find the full name and the street of the recipient. The log says `moved <name>` once they have moved."""
    write(f"check {request.to}")
    await asyncio.sleep(request.milliseconds / 1000)
    if request.to.startswith("stranger"):
        raise restate.TerminalError(f"I know no {request.to}.", status_code=404)
    name = request.to.removesuffix(" Builder")
    street = "Harbour Street" if count_logged(f"moved {name}") else "Mill Lane"
    return GiftFacts(call=request.model_copy(update={"to": f"{name} Builder"}), street=street)


@probe_tools.handler()
async def give(ctx: restate.Context, request: Gift) -> Ok:
    """Log the exact bytes of the request."""
    write(f"gave {ctx.request().body.decode()}")
    return Ok(said="given")


@probe_tools.handler()
async def settle_in_two_steps(ctx: restate.Context, request: Wait) -> Ok:
    """Run a saga of two steps. The first one is undone if the second is cancelled."""

    async def step(line: str) -> None:
        write(line)

    await ctx.run_typed("first", step, restate.RunOptions(), f"first {request.name}")
    try:
        await ctx.sleep(timedelta(milliseconds=request.milliseconds))
    except restate.TerminalError:
        await ctx.run_typed("undo first", step, restate.RunOptions(), f"undone {request.name}")
        raise
    await ctx.run_typed("second", step, restate.RunOptions(), f"second {request.name}")
    return Ok(said="settled")


@probe_tools.handler()
async def who_am_i(ctx: restate.Context, request: WhoAmI) -> Asked:
    """Return the identity that the loop filled in."""
    return Asked(customer_id=request.customer_id, session_id=request.session_id)


if __name__ == "__main__":
    serve(probe_tools, policies)
