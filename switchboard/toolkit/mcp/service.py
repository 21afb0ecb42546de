"""The Restate service of an MCP server: reads its tools, checks calls, and makes each call a durable one."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import restate

from switchboard.contract import NoInput, Tool
from switchboard.foreign_tools import (
    CHANGED,
    Catalog,
    ForeignCall,
    ForeignFacts,
    ForeignText,
    FoundTool,
    contract,
    problem_with,
    question_is_too_long,
)
from switchboard.loop.call_report import OUTCOME_UNKNOWN, UNKNOWN
from switchboard.mcp_server import DISCOVER, Caller, McpServer, McpTool
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.telemetry.spans import current
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.implement import checks, implements
from switchboard.toolkit.mcp.arguments import problem_with_arguments
from switchboard.toolkit.mcp.client import call_once, discover
from switchboard.toolkit.mcp.connection import CONNECT_TIMEOUT, url_of
from switchboard.toolkit.mcp.durable import attempt_call
from switchboard.toolkit.mcp.follow import STILL_WORKING, TaskKeeper, wait_for
from switchboard.toolkit.mcp.oauth import Authorizer
from switchboard.toolkit.mcp.outcomes import Attempt, Outcome, RunningTask
from switchboard.toolkit.mcp.tasks import cancel, look_at
from switchboard.toolkit.refusal import CONFLICT
from switchboard.words import QUOTES_OTHERS

logger = logging.getLogger(__name__)

CATALOG_MAX_AGE = timedelta(seconds=30)
"""How long a process offers a server's tools without asking the server again. Each call compares the digest anew."""

FAILURE_MAX_AGE = timedelta(seconds=5)
"""How long a process does not ask a server again that did not list its tools."""

ATTEMPTS_MAX = 3
"""Of one call that may be repeated, or that was not sent."""

PAUSE = timedelta(milliseconds=300)
"""Before the second attempt; it doubles with each further one."""

CATALOG = restate.RunOptions[Catalog](type_hint=Catalog)
FOUND = restate.RunOptions[str](type_hint=str)

TOO_LONG_TO_CONFIRM = "The arguments are too long to be confirmed by the customer. Shorten them."
NO_CREDENTIALS = "The call could not be authorized. It was not sent."


@dataclass
class Listing:
    """What a server listed, as long as it may be offered."""

    server: McpServer
    authorizer: Authorizer
    catalog: Catalog = field(default_factory=Catalog)
    until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current(self) -> Catalog:
        """Return the catalog, read again if it is too old. Calls at the same time wait for the same answer."""
        async with self.lock:
            if time.monotonic() >= self.until:
                self.catalog = await self._read()
                age = FAILURE_MAX_AGE if self.catalog.problem else CATALOG_MAX_AGE
                self.until = time.monotonic() + age.total_seconds()
        return self.catalog

    def forget(self) -> None:
        self.until = 0.0

    async def _read(self) -> Catalog:
        try:
            headers = await authorization(self.server, None)
            auth = self.authorizer.auth(url_of(self.server), None) if self.server.oauth else None
        except Exception as error:  # noqa: BLE001  # Its message may have other people's words, so only its type is logged.
            logger.warning("MCP server %s: authorize(None) or oauth failed: %s", self.server.name, type(error).__name__)
            return Catalog(problem=f"{self.server.name} cannot be asked for its tools")
        return await discover(self.server, headers, auth)


class ForeignService:
    """The handlers of one server: `discover`, and for each declared tool a handler and its check."""

    def __init__(self, server: McpServer) -> None:
        self.server = server
        self.authorizer = Authorizer(server)
        self.listing = Listing(server, self.authorizer)
        self.tasks = TaskKeeper(server, self)

    def services(self) -> tuple[restate.Service | restate.VirtualObject, ...]:
        """The service, and the object that follows its tasks. Only a server with an address can have tasks."""
        return (self.service(), self.tasks.service()) if self.server.url else (self.service(),)

    def service(self) -> restate.Service:
        service = tool_service(self.server.name, f"Tools of the MCP server {self.server.name}.")

        @service.handler(DISCOVER, **NOTHING_RETAINED)
        async def read_tools(ctx: restate.Context, request: NoInput) -> Catalog:
            return await ctx.run_typed("tools/list", self.listing.current, CATALOG)

        for declared in self.server.declared:
            self._bind(service, declared)
        return service

    def _bind(self, service: restate.Service, declared: McpTool) -> None:
        # What the server says about the tool is not known yet, so the contract is that of a tool without hints.
        tool = handler_contract(self.server, declared)

        @checks(service, tool)
        async def check(ctx: restate.Context, request: ForeignCall) -> ForeignFacts:
            return await self.check(ctx, declared, request)

        @implements(service, tool)
        async def call(ctx: restate.Context, request: ForeignCall) -> ForeignText:
            return await self.call(ctx, declared, request)

    async def check(self, ctx: restate.Context, declared: McpTool, request: ForeignCall) -> ForeignFacts:
        """Find out whether a call could be made, before the customer is asked and again after their yes."""
        if question_is_too_long({**request.arguments, **(request.answers or {})}):
            raise restate.TerminalError(TOO_LONG_TO_CONFIRM, status_code=CONFLICT)

        async def problem() -> str:
            catalog = await self.listing.current()
            if catalog.problem:
                return f"Not done: {catalog.problem}."
            listed = next((tool for tool in catalog.tools if tool.name == declared.name), None)
            return self._problem(declared, request, listed)

        if found := await ctx.run_typed("check", problem, FOUND):
            raise restate.TerminalError(found, status_code=CONFLICT)
        return ForeignFacts(digest=request.digest)

    async def call(self, ctx: restate.Context, declared: McpTool, request: ForeignCall) -> ForeignText:
        """Call the tool, and wait for the task that it may become. An answer continues the task that asked."""
        key = str(ctx.uuid())
        task: RunningTask | None = None
        if request.answers is not None and self.server.url:
            task = await self.tasks.taken(ctx, declared, request)
        outcome = Outcome(kind="working", text="", task=task)
        if task is None:
            outcome = await self._call(ctx, declared, request, key)
        if outcome.kind == "working" and outcome.task is not None:
            patience = self.server.timeout if outcome.again else None
            outcome = await wait_for(ctx, self, declared, request, outcome.task, patience)
        if outcome.kind == "working" and outcome.task is not None:
            await self.tasks.follow(ctx, declared, request, outcome.task)
            return ForeignText(STILL_WORKING.format(server=self.server.name))
        if outcome.kind == "asked" and outcome.task is not None:
            await self.tasks.keep(ctx, declared, request, outcome.task)
        return result_of(outcome, request)

    async def _call(self, ctx: restate.Context, declared: McpTool, request: ForeignCall, key: str) -> Outcome:
        """Send the call. One that must not be made twice is attempted once, unless it was certainly not sent."""
        # Taken here: the call runs in a task that knows nothing of this invocation.
        span = current()

        async def work() -> Outcome:
            attempt = await self._attempt(declared, request, key)
            if isinstance(attempt, Outcome):
                return attempt

            def check(listed: FoundTool | None) -> str:
                return self._problem(declared, request, listed)

            return await call_once(self.server, attempt, check, span)

        outcome = Outcome(kind="unreached", text="It was not sent")
        for number in range(1, ATTEMPTS_MAX + 1):
            outcome = await attempt_call(ctx, number, not request.repeatable, request.read_only, work)
            lost = outcome.kind == "unreached" or (outcome.kind == "lost" and request.repeatable)
            if not (lost and outcome.again) or number == ATTEMPTS_MAX:
                break
            await ctx.sleep(PAUSE * 2 ** (number - 1), name="pause before the next attempt")
        return outcome

    async def _attempt(self, declared: McpTool, request: ForeignCall, key: str) -> Attempt | Outcome:
        """Return what an attempt sends, with its credentials; an outcome if there are none."""
        caller = Caller(customer_id=request.customer_id, session_id=request.session_id, signed_in=request.signed_in)
        try:
            headers = await authorization(self.server, caller)
            auth = self.authorizer.auth(url_of(self.server), caller) if self.server.oauth else None
        except Exception as error:  # noqa: BLE001  # Its message may have other people's words, so only its type is logged.
            logger.warning("MCP server %s: authorize or oauth failed: %s", self.server.name, type(error).__name__)
            return Outcome(kind="unreached", text=NO_CREDENTIALS)
        identity = {name: getattr(request, part) for name, part in declared.identity.items()}
        arguments = {**request.arguments, **identity}
        return Attempt(declared.name, arguments, key, headers, declared.asks, request.answers, auth)

    async def look(self, declared: McpTool, call: ForeignCall, task: RunningTask) -> Outcome:
        """Return how a task stands, `working` also if that is not known now."""
        attempt = await self._attempt(declared, call, "")
        if isinstance(attempt, Outcome):
            return Outcome(kind="working", text=attempt.text, task=task)
        return await look_at(self.server, attempt, task, current())

    async def cancel(self, declared: McpTool, call: ForeignCall, task: RunningTask) -> Outcome:
        """Cancel a task, and return how it stands then, `working` if that is not known now."""
        attempt = await self._attempt(declared, call, "")
        if isinstance(attempt, Outcome):
            return Outcome(kind="working", text=attempt.text, task=task)
        return await cancel(self.server, attempt, task, current())

    def _problem(self, declared: McpTool, request: ForeignCall, listed: FoundTool | None) -> str:
        """Return why a call may not be made of the tool as it is listed now, as a sentence, or an empty string."""
        if listed is not None and listed.digest != request.digest:
            self.listing.forget()
            return CHANGED.format(name=declared.model_name, server=self.server.name)
        if problem := problem_with(listed, declared, self.server):
            return f"Not done: {problem}."
        assert listed is not None
        identity = {name: getattr(request, part) for name, part in declared.identity.items()}
        if problem := problem_with_arguments(listed.schema_text, {**request.arguments, **identity}):
            return f"The arguments do not fit: {problem}. Correct them, or ask the customer."
        return ""

    async def report(self) -> None:
        """Log at the start what is wrong with the declared tools, one sentence each, and the digests of all."""
        catalog = await self.listing.current()
        if catalog.problem:
            logger.error("MCP server %s: its tools cannot be offered: %s", self.server.name, catalog.problem)
            return
        found = {tool.name: tool for tool in catalog.tools}
        for declared in self.server.declared:
            if problem := problem_with(found.get(declared.name), declared, self.server):
                logger.error("MCP server %s: %s is not offered: %s", self.server.name, declared.name, problem)
        for tool in catalog.tools:
            logger.info("MCP server %s: %s has the digest %s", self.server.name, tool.name, tool.digest)


async def authorization(server: McpServer, caller: Caller | None) -> Mapping[str, str]:
    """Return the headers of a call. Raises whatever the declaration's function raises, and TimeoutError."""
    if server.authorize is None:
        return {}
    with anyio.fail_after(CONNECT_TIMEOUT.total_seconds()):
        return await server.authorize(caller)


def handler_contract(server: McpServer, declared: McpTool) -> Tool[ForeignCall, ForeignText]:
    """Return the contract that the handlers are bound to: with a check, as any tool may need consent."""
    full = contract(server, declared, None)
    return Tool(
        service=server.name,
        handler=full.handler,
        purpose=declared.spoken_label,
        input=ForeignCall,
        output=ForeignText,
        consent=ask,
        check=ForeignFacts,
        verified=declared.requires_verified_customer,
    )


def ask(call: ForeignCall, facts: ForeignFacts) -> str:
    """The agent's contract words the question."""
    return ""


def result_of(outcome: Outcome, request: ForeignCall) -> ForeignText:
    """Return the result of a call. Raises TerminalError if it was not done, or if that is not known."""
    if outcome.kind == "done":
        return ForeignText(outcome.text)
    quotes = {QUOTES_OTHERS: "yes"} if outcome.others else None
    if outcome.kind == "lost" and not request.read_only:
        why = f"{outcome.text.rstrip('.')}. {UNKNOWN_OUTCOME}"
        raise restate.TerminalError(why, status_code=OUTCOME_UNKNOWN)
    if outcome.kind == "asked":
        raise restate.TerminalError(f"Not done yet: the server {outcome.text}", status_code=CONFLICT, metadata=quotes)
    if outcome.kind == "failed":
        raise restate.TerminalError(outcome.text, status_code=CONFLICT, metadata=quotes)
    raise restate.TerminalError(f"Not done: {outcome.text.rstrip('.')}.", status_code=CONFLICT, metadata=quotes)


UNKNOWN_OUTCOME = UNKNOWN.removeprefix("Interrupted. ")
