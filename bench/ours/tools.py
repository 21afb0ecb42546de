"""The benchmark's tools as a separate deployment: `python -m bench.ours.tools`."""

import restate

from bench import work
from bench.contract import BENCH_TOOLS, Book, LookUp, Said, Wait
from switchboard import serve
from switchboard.toolkit.declare import tool_service

bench_tools = tool_service(BENCH_TOOLS, "Tools of the benchmark.")


@bench_tools.handler()
async def wait(ctx: restate.Context, request: Wait) -> Said:
    """Wait outside the journal, like a slow backend."""
    return await work.wait(request)


@bench_tools.handler()
async def look_up(ctx: restate.Context, request: LookUp) -> Said:
    """Return some text immediately."""
    return await work.look_up(request)


@bench_tools.handler()
async def book(ctx: restate.Context, request: Book) -> Said:
    """Have an effect outside the journal."""
    return await work.book(request)


if __name__ == "__main__":
    serve(bench_tools)
