"""Loans whose list is blocked while the file in GATE exists, as with a slow backend."""

import asyncio
import os
from typing import Any

import restate

from services.tools.bank.data.demo import DemoBank
from services.tools.bank.loans.handlers import loans_object
from switchboard.runtime.serve import listen
from switchboard.runtime.settings import ServerSettings, load

POLL_SECONDS = 0.02
LIST_LOANS = "/invoke/Loans/list_loans"

app = restate.app([loans_object(DemoBank.read())])


async def gated(scope: Any, receive: Any, send: Any) -> None:
    while scope.get("path") == LIST_LOANS and os.path.exists(os.environ["GATE"]):  # noqa: ASYNC240  # a local file
        await asyncio.sleep(POLL_SECONDS)
    await app(scope, receive, send)


if __name__ == "__main__":
    asyncio.run(listen(gated, load(ServerSettings)))
