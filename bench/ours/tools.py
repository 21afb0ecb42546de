"""The benchmark's tools as a deployment of their own: `python -m bench.ours.tools`."""

import restate

from bench import work
from bench.contract import BENCH_TOOLS, LookUp, Said, Wait
from switchboard import serve
from switchboard.toolkit.declare import tool_service

bench_tools = tool_service(BENCH_TOOLS, "Tools of the benchmark.")


@bench_tools.handler()
async def wait(ctx: restate.Context, request: Wait) -> Said:
    """Take some time, outside the journal, as a slow system would."""
    return await work.wait(request)


@bench_tools.handler()
async def look_up(ctx: restate.Context, request: LookUp) -> Said:
    """Answer at once, with some text."""
    return await work.look_up(request)


if __name__ == "__main__":
    serve(bench_tools)
