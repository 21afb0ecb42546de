"""The client of this mesh under the protocol's conformance suite: `python -m tests.mcp.conformance_client URL`.

It makes the calls that a scenario asks for through the code that serves MCP tools in a mesh. Scenarios with a person's
login get the SDK's provider by `oauth=`, with a browser that follows the redirect at once, as the suite's own clients
do. The others use the mesh's client credentials.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata
from pydantic import AnyUrl

from switchboard import Caller, ClientCredentials, McpServer
from switchboard.foreign_tools import FoundTool
from switchboard.toolkit.mcp.client import call_once, discover
from switchboard.toolkit.mcp.oauth import Authorizer, MemoryTokens
from switchboard.toolkit.mcp.outcomes import Attempt

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "tools_call": ("add_numbers", {"a": 5, "b": 3}),
    "sse-retry": ("test_reconnection", {}),
    "elicitation-sep1034-client-defaults": ("test_client_elicitation_defaults", {}),
}
AUTH_CALL: tuple[str, dict[str, Any]] = ("test-tool", {})
CALLBACK = "http://localhost:3000/callback"
METADATA_URL = "https://conformance-test.local/client-metadata.json"

SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
GIVEN: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))


class Registered(MemoryTokens):
    """Keeps what an authorization server registered, as well."""

    client: OAuthClientInformationFull | None = None

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


STORAGE = Registered()


def person(url: str, caller: Caller | None) -> httpx2.Auth:
    """A provider for a person, whose browser follows the redirect at once."""
    redirected: list[str] = []

    async def open_browser(address: str) -> None:
        async with httpx2.AsyncClient() as http:
            redirected.append((await http.get(address)).headers["location"])

    async def came_back() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(redirected.pop()).query)
        first = {name: values[0] for name, values in query.items()}
        return AuthorizationCodeResult(code=first["code"], state=first.get("state"), iss=first.get("iss"))

    if "client_id" in GIVEN and STORAGE.client is None:
        STORAGE.client = OAuthClientInformationFull(
            client_id=GIVEN["client_id"],
            client_secret=GIVEN["client_secret"],
            redirect_uris=[AnyUrl(CALLBACK)],
            token_endpoint_auth_method="client_secret_basic",
        )
    metadata = OAuthClientMetadata(
        client_name="switchboard",
        redirect_uris=[AnyUrl(CALLBACK)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    return OAuthClientProvider(url, metadata, STORAGE, open_browser, came_back, METADATA_URL)


def employee(url: str, caller: Caller | None) -> httpx2.Auth:
    """A provider for an employee whose company vouches for them."""

    async def vouch(audience: str, resource: str) -> str:
        exchange = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
            "audience": audience,
            "resource": resource,
            "subject_token": GIVEN["idp_id_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "client_id": GIVEN["idp_client_id"],
        }
        async with httpx2.AsyncClient() as http:
            answer = await http.post(GIVEN["idp_token_endpoint"], data=exchange)
        token: str = answer.json()["access_token"]
        return token

    return IdentityAssertionOAuthProvider(
        url, MemoryTokens(), GIVEN["client_id"], GIVEN["client_secret"], ISSUER[0], vouch, None, "client_secret_basic"
    )


ISSUER: list[str] = []
"""The authorization server, which is a matter of configuration in these flows."""


def oauth() -> ClientCredentials | Callable[[str, Caller | None], Any] | None:
    if SCENARIO == "auth/client-credentials-basic":
        return ClientCredentials(ISSUER[0], GIVEN["client_id"], secret=lambda: str(GIVEN["client_secret"]))
    if SCENARIO == "auth/client-credentials-jwt":
        key, algorithm = GIVEN["private_key_pem"], GIVEN.get("signing_algorithm", "ES256")
        return ClientCredentials(ISSUER[0], GIVEN["client_id"], private_key=lambda: str(key), algorithm=algorithm)
    if SCENARIO == "auth/cross-app-access-complete-flow":
        return employee
    return person if SCENARIO.startswith("auth/") else None


async def find_issuer(url: str) -> None:
    """Look up which authorization server the suite has started."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource"
    async with httpx2.AsyncClient() as http:
        for address in (where + parts.path, where):
            answer = await http.get(address)
            if answer.status_code == httpx2.codes.OK:
                ISSUER.append(answer.json()["authorization_servers"][0])
                return


def no_objection(listed: FoundTool | None) -> str:
    return "" if listed else "not listed"


async def main(url: str) -> None:
    auth = SCENARIO.startswith("auth/")
    if SCENARIO.startswith(("auth/client-credentials", "auth/cross-app")):
        await find_issuer(url)
    name, arguments = AUTH_CALL if auth else CALLS.get(SCENARIO, ("", {}))
    server = McpServer("Conformance", url=url, tools=(name or "none",), oauth=oauth())
    authorizer = Authorizer(server)
    catalog = await discover(server, {}, authorizer.auth(url, None))
    assert not catalog.problem, catalog
    if name:
        attempt = Attempt(name, arguments, "key", asks=not auth, answers={}, auth=authorizer.auth(url, None))
        outcome = await call_once(server, attempt, no_objection)
        assert outcome.kind == "done", outcome


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
