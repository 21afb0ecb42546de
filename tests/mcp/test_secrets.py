"""Credentials of MCP servers stand nowhere: not in journals, states, spans, logs or metrics."""

import base64
import json
from uuid import uuid4

from switchboard.credentials import CREDENTIAL
from tests.mcp import declarations
from tests.mcp.conftest import McpMesh
from tests.mcp.site import SECRET, SESAME, text
from tests.stored import readable, stored_in_tables, written_below


async def metrics_of(mcp: McpMesh) -> bytes:
    found = []
    for name in mcp.mesh.names:
        async with mcp.http.get(f"{mcp.mesh.addresses.service_url(name)}/metrics") as response:
            found.append(await response.read())
    return b"".join(found)


async def places(mcp: McpMesh) -> dict[str, bytes]:
    """All that the mesh has stored and written. The MCP servers' own logs are none of its."""
    return {
        "journals and states": await stored_in_tables(mcp),
        "logs": written_below(mcp.folder / "mesh" / "logs"),
        "spans": b"".join(mcp.vault.spans),
        "metrics": await metrics_of(mcp),
    }


async def test_tokens_and_secrets_of_oauth_stand_nowhere(mcp: McpMesh) -> None:
    """The server repeats each token, also in the tool's description. Then it takes the token back, so that the mesh
    asks for another one with its secret."""
    marks = [f"mark-{uuid4().hex}" for _ in range(3)]
    customer, before = mcp.customer(), len(mcp.vault.tokens)
    for mark in marks:
        mcp.vault.says = lambda sent, mark=mark: text(f"{sent} {mark}")  # type: ignore[misc]
        found = await mcp.result(customer, ("open_vault", {}))
        assert found["content"] == json.dumps(f"You sent {CREDENTIAL} {mark}.")
        mcp.vault.valid = "taken back"
    tokens = mcp.vault.tokens
    assert len(tokens) >= before + len(marks) - 1
    assert {*mcp.vault.secrets} == {SECRET}

    span = b"tools/call whoami"
    await mcp.until(lambda: span in b"".join(mcp.vault.spans))
    basic = base64.b64encode(f"switchboard:{SECRET}".encode()).decode()
    secrets = [SESAME, basic, declarations.SECRET, *tokens, SECRET]
    everything = await places(mcp)
    assert [(name, secret) for name, text in everything.items() for secret in secrets if secret.encode() in text] == []
    # Results and descriptions are found where they are kept. So texts are readable, and the check above can fail.
    journals = readable(await mcp.query("SELECT * FROM sys_journal"))
    assert [mark for mark in (f"For {CREDENTIAL}", *marks) if mark.encode() not in journals] == []
    assert all(everything.values())
