"""The next version of the crowd's tools, with one more service: `python -m tests.chaos.cluster.next_tools`."""

import restate

from switchboard import serve
from tests.generated.crowd_tools import crowd_tools

release = restate.Service("Release", ingress_private=True)


@release.handler()
async def version(_: restate.Context) -> int:
    return 2


if __name__ == "__main__":
    serve(*crowd_tools(), release, name="tools")
