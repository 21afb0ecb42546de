"""Holds the conversation of tests/models with agents whose models are behind a real server or proxy.

`python -m tests.models.by_hand PROVIDER BASE_URL MODEL... [--wire-api API]...` starts a mesh, and for each model and
wire API restarts its agents and talks to them. With `--upstream PORT` the strict server of the tests listens there, for
a proxy in front of it. docs/operate/providers.md says what was tried so.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from aiohttp.test_utils import TestServer

from switchboard.local.mesh import DEMO_MODEL
from tests.laboratory import SOON, open_laboratory
from tests.models.conversation import SCENES, restart_agents, whole_conversation
from tests.models.strict_server import Dialect, StrictServer


async def main(options: argparse.Namespace) -> int:
    prefix, failed = options.provider.upper(), 0
    with tempfile.TemporaryDirectory() as folder:
        async with open_laboratory(Path(folder), environment=SOON) as laboratory:
            await laboratory.model.plays(*SCENES)
            # A proxy may send more than we do, so the types of its requests are not checked.
            lenient = Dialect(types=False, typed_items=False)
            strict = StrictServer(laboratory.mesh.addresses.service_url(DEMO_MODEL), lenient)
            upstream = TestServer(strict.app(), port=options.upstream)
            await upstream.start_server()
            for model in options.model:
                for api in options.wire_api:
                    # The client of the Messages API adds the version to the path itself.
                    address = options.base_url.removesuffix("/v1") if api == "messages" else options.base_url
                    name = {"SWITCHBOARD_MODEL": f"{options.provider}:{model}", f"{prefix}_WIRE_API": api}
                    await restart_agents(laboratory, **name, **{f"{prefix}_BASE_URL": address})
                    strict.refused.clear()
                    try:
                        await whole_conversation(laboratory.customer())
                    except AssertionError as error:
                        failed += 1
                        sys.stdout.write(f"{model} over {api}: {error}; refused upstream: {strict.refused}\n")
                    else:
                        sys.stdout.write(f"{model} over {api}: good\n")
            await upstream.close()
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("provider")
    parser.add_argument("base_url")
    parser.add_argument("model", nargs="+")
    parser.add_argument("--wire-api", action="append", choices=["responses", "chat", "messages"], required=True)
    parser.add_argument("--upstream", type=int, default=0)
    sys.exit(asyncio.run(main(parser.parse_args())))
