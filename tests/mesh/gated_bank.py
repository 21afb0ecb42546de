"""The real accounts, loans and payment network behind gates, in a separate process: `python -m tests.mesh.gated_bank`.

A request for `Loans/list_loans` waits while the folder in GATES contains a file `Loans.list_loans`.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import restate

from services.tools.bank.accounts.handlers import accounts_object
from services.tools.bank.data.demo import DemoBank
from services.tools.bank.loans.handlers import loans_object
from services.tools.bank.payment_network.handlers import payment_network
from switchboard.runtime.serve import listen
from switchboard.runtime.settings import ServerSettings, load

POLL_SECONDS = 0.02


async def gated(scope: Any, receive: Any, send: Any) -> None:
    """Wait at the gate of the handler. Restate calls `/invoke/<service>/<handler>`."""
    gate = Path(os.environ["GATES"], ".".join(scope.get("path", "").split("/")[-2:]))
    while os.path.exists(gate):  # noqa: ASYNC240  # a quick check of a local file, in a test
        await asyncio.sleep(POLL_SECONDS)
    await app(scope, receive, send)


if __name__ == "__main__":
    bank = DemoBank.read()
    app = restate.app([accounts_object(bank), loans_object(bank), payment_network])
    asyncio.run(listen(gated, load(ServerSettings)))
