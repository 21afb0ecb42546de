"""Declaration of MCP servers whose tools agents may call. Values only: no I/O, and nothing of the MCP SDK."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, get_args

from switchboard.contract import CHECK_PREFIX, FUNCTION_NAME_MAX_CHARS, IDENTITY_FIELDS, IdentityPart
from switchboard.messages import WireModel

CALL_TIMEOUT = timedelta(seconds=60)
"""How long a server may take to answer one call, by default."""

TASK_TIMEOUT = timedelta(hours=24)
"""How long a server may work on a call that it goes on with as a task, by default."""

ANSWERS = "answers"
"""The argument of the customer's answers to a server's questions."""

DISCOVER = "discover"
"""Name of the handler that reads the server's tools."""

HANDOFF = "handoff_to_"

SERVER_NAME = re.compile(r"[A-Z][a-zA-Z0-9]{0,47}")
"""The form of a server's name, which is the name of a Restate service."""

TOOL_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
"""The form of a tool's alias, which is the name of a Restate handler."""

ALIAS_MAX_CHARS = FUNCTION_NAME_MAX_CHARS - len(CHECK_PREFIX)
DIGEST = re.compile("[0-9a-f]{64}")


class Caller(WireModel):
    """On whose behalf a server is called. Given to `McpServer.authorize`."""

    customer_id: str
    session_id: str
    signed_in: bool


Authorize = Callable[[Caller | None], Awaitable[Mapping[str, str]]]
Provider = Callable[[str, Caller | None], Any]


@dataclass(frozen=True)
class ClientCredentials:
    """Gets a server's tokens by OAuth as this mesh itself, without a person: the grant `client_credentials`.

    The MCP server says where its authorization server is, and which scopes a token needs. A token is kept in memory
    until the server refuses it. Secrets are read when a token is needed, so they can be rotated.

    Raises:
        ValueError: At import, if the declaration cannot be used. The message says how to fix it.
    """

    issuer: str | Callable[[], str]
    """The authorization server that gave the credentials. They are sent to no other one, whatever a server says."""

    client_id: str | Callable[[], str]
    secret: Callable[[], str] | None = field(default=None, repr=False)
    """Returns the client's secret, such as from a file: `lambda: Path("/run/secrets/shop").read_text().strip()`."""

    private_key: Callable[[], str] | None = field(default=None, repr=False)
    """Returns the private key in PEM form with which the client signs its requests (RFC 7523), in place of a secret."""

    algorithm: str = "RS256"
    """With which the private key signs."""

    secret_in_body: bool = False
    """Whether the secret is sent in the body (`client_secret_post`) and not as basic authentication."""

    def __post_init__(self) -> None:
        if (self.secret is None) == (self.private_key is None):
            raise ValueError("client credentials: give either secret= or private_key=")
        if isinstance(self.issuer, str) and not self.issuer.startswith(("http://", "https://")):
            raise ValueError(f"client credentials: issuer must be the address of a server, not {self.issuer!r}")


@dataclass(frozen=True)
class McpTool:
    """One tool of an MCP server that agents may call.

    Raises:
        ValueError: At import, for a name or an option that cannot be used. The message says how to fix it.
    """

    name: str
    """The tool's name at the server."""

    alias: str = ""
    """The name that the model sees: up to 58 letters, digits or `_`. By default the name, with `_` for other
    characters."""

    purpose: str = ""
    """Description for the model, in your own words. By default the server's description, shortened and marked as other
    people's words."""

    label: str = ""
    """The action in words for customers, such as "cancel the order". By default the alias with spaces."""

    identity: Mapping[str, IdentityPart] = field(default_factory=dict, hash=False)
    """Arguments that are filled from the session's identity, such as `{"account": "customer_id"}`. The model does not
    see them and cannot set them."""

    consent: bool | Callable[[Mapping[str, Any]], str] | None = None
    """Whether the customer must say yes first, or a function that words the question from the arguments. By default
    True unless the server says that the tool reads only (`readOnlyHint`) or destroys nothing (`destructiveHint`)."""

    repeatable: bool | None = None
    """Whether a call whose answer was lost is made again, with the same key. By default True if the server says that
    the tool reads only, or that a repeated call changes nothing more (`idempotentHint`). Set it to True for a server
    that carries out calls with the same `Idempotency-Key` once."""

    asks: bool = False
    """Whether the server may ask the customer something in the middle of a call (elicitation). The model then gets the
    argument `answers`. The customer must say yes to each call first, unless `consent` is False."""

    verified: bool | None = None
    """Whether the customer must be signed in or verified. By default True if an argument is filled with their id."""

    digest: str = ""
    """If set, only a tool with this digest is offered. The service logs the digests of all tools when it starts."""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(f"MCP tool {self.name!r}: {problem}")

    @property
    def model_name(self) -> str:
        """The name that the model sees, and the name of the Restate handler."""
        return self.alias or re.sub(r"\W", "_", self.name, flags=re.ASCII)

    @property
    def spoken_label(self) -> str:
        return self.label or self.model_name.replace("_", " ")

    @property
    def requires_verified_customer(self) -> bool:
        return "customer_id" in self.identity.values() if self.verified is None else self.verified

    def _problem(self) -> str | None:
        """Return why the tool cannot be declared so, if so."""
        name = self.model_name
        if not self.name:
            return "the name is empty. Write the tool's name at the server"
        if not TOOL_NAME.fullmatch(name) or len(name) > ALIAS_MAX_CHARS:
            return (
                f"the model cannot call it {name!r}. Set alias= to a letter and up to {ALIAS_MAX_CHARS - 1} letters,"
                " digits or '_'"
            )
        if name.startswith((CHECK_PREFIX, HANDOFF)) or name == DISCOVER:
            return f"{name!r} is reserved. Set another alias="
        if self.label != self.label.strip() or not self.label.isprintable():
            return "label must be a few words on one line"
        if self.digest and not DIGEST.fullmatch(self.digest):
            return "digest must be the 64 hexadecimal digits that the service logs when it starts"
        return self._problem_with_identity()

    def _problem_with_identity(self) -> str | None:
        for argument, part in self.identity.items():
            if part not in get_args(IdentityPart) and part not in IDENTITY_FIELDS:
                return f"identity has no part {part!r}. Use one of {', '.join(IDENTITY_FIELDS)}"
            if argument in IDENTITY_FIELDS and part != argument:
                return f"{argument!r} would be filled with the {part}. Write identity={{{argument!r}: {argument!r}}}"
        return None


@dataclass(frozen=True)
class McpServer:
    """An MCP server, and those of its tools that agents may call.

    ```python
    SHOP = McpServer(
        "Shop",
        url="https://shop.example.com/mcp",
        tools=("get_order", McpTool("refund", identity={"customer": "customer_id"})),
    )
    orders = Agent(name="Orders", ..., servers=(SHOP,))
    serve(orders, McpTools(SHOP))
    ```

    Raises:
        ValueError: At import, if the declaration cannot be used. The message says how to fix it.
    """

    name: str
    """Name of the server in this mesh, and of its Restate service: a capital letter and up to 47 letters or digits."""

    tools: tuple[McpTool | str, ...]
    """The tools that agents may call. A name alone is a tool with default rules."""

    url: str | Callable[[], str] = ""
    """Address of a server that speaks streamable HTTP, or a function that returns it when the tools are served."""

    command: tuple[str, ...] = ()
    """The command that starts a server that speaks over standard input and output. It is started for each call."""

    environment: tuple[str, ...] = ()
    """Names of environment variables that the command gets, besides PATH, HOME and the like."""

    authorize: Authorize | None = None
    """Returns the HTTP headers that authorize a call. It runs at the moment of the call, and its headers enter no
    journal. It gets None when the tools are listed."""

    timeout: timedelta = CALL_TIMEOUT
    """How long the server may take to answer one call. A call that the server goes on with as a task (MCP tasks) is
    waited for as long as this; then the turn goes on, and the result is sent to the customer as a message."""

    task_timeout: timedelta = TASK_TIMEOUT
    """How long a task may take. Then it is cancelled, and the customer is told."""

    oauth: ClientCredentials | Provider | None = None
    """How tokens are got by OAuth, in place of `authorize`. Either client credentials, or a function of the server's
    address and of the caller, who is None when the tools are listed. It is called for each connection, and returns an
    `httpx2.Auth`, such as a provider of the MCP SDK with your own storage of tokens."""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(f"MCP server {self.name!r}: {problem}")

    @property
    def declared(self) -> tuple[McpTool, ...]:
        """The tools, each with its rules."""
        return tuple(McpTool(tool) if isinstance(tool, str) else tool for tool in self.tools)

    def only(self, *names: str) -> "McpServer":
        """Return the server with these of its tools only, for an agent that may not call the others.

        Raises ValueError for a name that is not declared.
        """
        unknown = sorted({*names} - {tool.name for tool in self.declared})
        if unknown:
            raise ValueError(f"MCP server {self.name!r}: {unknown[0]!r} is not among its tools. Declare it first")
        return replace(self, tools=tuple(tool for tool in self.declared if tool.name in names))

    def _problem(self) -> str | None:
        """Return why the server cannot be declared so, if so."""
        if not SERVER_NAME.fullmatch(self.name):
            return "a name must be a capital letter and up to 47 letters or digits"
        if self.timeout <= timedelta(0) or self.task_timeout <= timedelta(0):
            return "timeout and task_timeout must be positive"
        return self._problem_with_address() or self._problem_with_tools()

    def _problem_with_address(self) -> str | None:
        if bool(self.url) == bool(self.command):
            return "give either url= or command="
        if isinstance(self.url, str) and self.url and not self.url.startswith(("http://", "https://")):
            return f"url must begin with http:// or https://, not {self.url!r}"
        if isinstance(self.command, str):
            return "command must be a tuple: the program and its arguments"
        if self.command and (self.authorize is not None or self.oauth is not None):
            return "authorize= and oauth= are for servers with url=. Pass a command's credentials by environment="
        if self.authorize is not None and self.oauth is not None:
            return "give either authorize= or oauth="
        return None

    def _problem_with_tools(self) -> str | None:
        if not self.tools:
            return "it declares no tools. Name those that agents may call"
        names = [tool.name for tool in self.declared]
        aliases = [tool.model_name for tool in self.declared]
        for what, given in (("name", names), ("alias", aliases)):
            twice = sorted({name for name in given if given.count(name) > 1})
            if twice:
                return f"two of its tools have the {what} {twice[0]!r}"
        return None
