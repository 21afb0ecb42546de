"""Tokens for MCP servers by client credentials: where the secret goes, and how long a token is used."""

from typing import Any

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import INVALID_PARAMS, URL_ELICITATION_REQUIRED, ElicitRequestURLParams

from switchboard import ClientCredentials, McpServer
from switchboard.credentials import CREDENTIAL
from switchboard.toolkit.mcp.client import call_once, discover
from switchboard.toolkit.mcp.connection import BoundedTransport, options_of
from switchboard.toolkit.mcp.elicitation import Questions
from switchboard.toolkit.mcp.oauth import Authorizer
from switchboard.toolkit.mcp.outcomes import Attempt
from switchboard.toolkit.mcp.results import NAME_KEPT_CHARS, RESULT_KEPT_CHARS
from tests.mcp.site import NO_ARGUMENTS, SECRET, SESAME, Says, Site, opened, text, tool

NO_CONTEXT: Any = ClientRequestContext(session=None, request_id="1")  # type: ignore[arg-type]


def declared(site: Site, issuer: str) -> McpServer:
    credentials = ClientCredentials(issuer, "switchboard", secret=lambda: SECRET)
    return McpServer("Site", url=f"{site.url}/mcp", tools=("whoami",), oauth=credentials)


async def test_token_is_used_until_it_is_refused_and_taken_out_of_results() -> None:
    async with opened() as site:
        server = declared(site, site.url)
        authorizer = Authorizer(server)
        texts = []
        for _ in range(2):
            attempt = Attempt("whoami", {}, "key", auth=authorizer.auth(f"{site.url}/mcp", None))
            texts.append((await call_once(server, attempt, lambda listed: "")).text)
        assert texts == ["You sent [credential]."] * 2
        assert site.secrets == [SECRET]
        site.valid = "revoked"
        attempt = Attempt("whoami", {}, "key", auth=authorizer.auth(f"{site.url}/mcp", None))
        assert (await call_once(server, attempt, lambda listed: "")).kind == "done"
        assert (site.secrets, site.calls) == ([SECRET] * 2, 3)


def link(sent: str) -> dict[str, Any]:
    return {"mode": "url", "elicitationId": "1", "message": sent, "url": f"https://pay.example/{sent}"}


def error(code: int, message: str, **data: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "data": data}}


SHOWN_CHARS = len("Bearer sesame-")
"""Of a header that is cut off."""

SAID: dict[str, Says] = {
    "result": text,
    "at the end of a long result": lambda sent: text("x" * (RESULT_KEPT_CHARS - 9 - SHOWN_CHARS) + sent),
    "error of the tool": lambda sent: {"result": {**text(sent)["result"], "isError": True}},
    "structured result": lambda sent: {"result": {"content": [], "structuredContent": {sent: [sent]}}},
    "long name": lambda sent: {
        "result": {
            "content": [{"type": "resource_link", "name": "x" * (NAME_KEPT_CHARS - SHOWN_CHARS) + sent, "uri": "x://y"}]
        }
    },
    "long error": lambda sent: error(INVALID_PARAMS, "x" * (NAME_KEPT_CHARS - SHOWN_CHARS) + sent),
    "link to open": lambda sent: error(URL_ELICITATION_REQUIRED, "open it", elicitations=[link(sent)]),
}


@pytest.mark.parametrize("says", SAID.values(), ids=SAID)
async def test_server_repeats_a_token_in_vain(says: Says) -> None:
    async with opened() as site:
        site.says = says
        server = declared(site, site.url)
        attempt = Attempt("whoami", {}, "key", auth=Authorizer(server).auth(f"{site.url}/mcp", None))
        outcome = await call_once(server, attempt, lambda listed: "")
        assert outcome.kind in ("done", "failed", "asked")
        assert (CREDENTIAL[:9] in outcome.text, SESAME in outcome.model_dump_json()) == (True, False), outcome


async def test_description_and_schema_are_listed_without_a_token() -> None:
    async with opened() as site:
        site.lists = lambda sent: {
            **tool(sent),
            "description": f"For {sent}",
            "inputSchema": {**NO_ARGUMENTS, "title": sent},
        }
        server = declared(site, site.url)
        catalog = await discover(server, {}, Authorizer(server).auth(f"{site.url}/mcp", None))
        (found,) = catalog.tools
        assert (found.description, SESAME in catalog.model_dump_json()) == (f"For {CREDENTIAL}", False)


async def test_question_is_asked_without_a_token() -> None:
    questions = Questions(None)
    http = BoundedTransport([f"Bearer {SESAME}-1"])
    reply = options_of(questions, http)["elicitation_callback"]
    await reply(NO_CONTEXT, ElicitRequestURLParams(message=f"{SESAME}-1", url=f"https://pay.example/{SESAME}-1"))
    assert questions.asked == [
        f"to open the link https://pay.example/{CREDENTIAL} ({CREDENTIAL}); then: link_opened = true"
    ]


async def test_secret_is_sent_to_no_other_authorization_server() -> None:
    async with opened() as honest, opened() as hostile:
        server = declared(hostile, honest.url)
        catalog = await discover(server, {}, Authorizer(server).auth(f"{hostile.url}/mcp", None))
        assert catalog.problem == "Site gave no access token"
        assert (honest.secrets, hostile.secrets) == ([], [])


def test_secret_is_not_in_the_text_of_the_declaration() -> None:
    assert SECRET not in repr(ClientCredentials("https://login.example", "switchboard", secret=lambda: SECRET))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give either secret= or private_key="),
        ({"secret": str, "private_key": str}, "give either secret= or private_key="),
        ({"secret": str, "issuer": "login.example"}, "issuer must be the address of a server, not 'login.example'"),
    ],
)
def test_wrong_credentials_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="client credentials") as raised:
        ClientCredentials(**{"issuer": "https://login.example", "client_id": "x", **options})
    assert sentence in str(raised.value)
