"""Tokens for MCP servers by OAuth, with the SDK's providers. They are kept in memory, and enter no journal."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from switchboard.mcp_server import Caller, ClientCredentials, McpServer


@dataclass
class MemoryTokens:
    """The token of one server in this process. The SDK calls this a storage."""

    tokens: OAuthToken | None = field(default=None, repr=False)

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """The client is declared, not registered."""


class Authorizer:
    """Makes what authorizes each connection to a server. A provider serves one connection: it lets requests wait for
    each other, and one call must not wait for another one."""

    def __init__(self, server: McpServer) -> None:
        self._oauth = server.oauth
        self._tokens = MemoryTokens()

    def auth(self, url: str, caller: Caller | None) -> httpx2.Auth | None:
        """Return what gets tokens for a connection. Raises whatever the declaration's functions raise."""
        if isinstance(self._oauth, ClientCredentials):
            return client_credentials(self._oauth, url, self._tokens)
        given: Any = self._oauth(url, caller) if self._oauth is not None else None
        return given if given is None or isinstance(given, httpx2.Auth) else unusable(given)


def unusable(given: Any) -> httpx2.Auth:
    raise TypeError(f"oauth= returned {type(given).__name__}. Return an httpx2.Auth")


def client_credentials(declared: ClientCredentials, url: str, tokens: MemoryTokens) -> httpx2.Auth:
    issuer, client_id = value_of(declared.issuer), value_of(declared.client_id)
    if declared.secret is not None:
        return ClientCredentialsOAuthProvider(
            url,
            tokens,
            client_id,
            declared.secret(),
            "client_secret_post" if declared.secret_in_body else "client_secret_basic",
            issuer=issuer,
        )
    assert declared.private_key is not None
    signed = SignedJWTParameters(
        issuer=client_id,
        subject=client_id,
        signing_key=declared.private_key(),
        signing_algorithm=declared.algorithm,
    )
    return PrivateKeyJWTOAuthProvider(url, tokens, client_id, signed.create_assertion_provider(), issuer=issuer)


def value_of(given: Any) -> str:
    return str(given() if callable(given) else given)
