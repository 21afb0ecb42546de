"""Parts of the MCP server without a mesh: its switch, its hosts, its tools' schemas, and words of progress."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from pydantic import AnyHttpUrl

from switchboard.events import AgentStarted, Delta, ModelStep, Numbered, TakenOver, ToolStarted
from switchboard.gateway.live_turn import event_frame, unnumbered_frame
from switchboard.gateway.mcp_api import hosts_of
from switchboard.gateway.mcp_calls import progress_words
from switchboard.gateway.mcp_tools import ANNOTATIONS, INPUTS, OUTPUTS, TOOLS
from switchboard.messages import CallToConfirm, Confirmation
from switchboard.session.contract import SendReply
from tests.parts import PROJECT

WITHOUT_MCP = """
import sys
sys.modules["mcp"] = None
import switchboard.gateway.__main__ as gateway
from switchboard.gateway.settings import GatewaySettings
assert not [name for name in sys.modules if name.startswith("mcp.") or name == "mcp_types"]
settings = GatewaySettings.model_validate({"GATEWAY_JWT_SECRET": "x" * 32, "GATEWAY_MCP_URL": "http://a/v1/mcp"})
gateway.add_mcp_server(None, settings, None, settings.mcp_url)
"""


def test_gateway_without_the_extra_says_what_to_install() -> None:
    """Without the setting, nothing imports the protocol's library."""
    ended = subprocess.run([sys.executable, "-c", WITHOUT_MCP], cwd=PROJECT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    assert ended.stderr.startswith("GATEWAY_MCP_URL is set, but the module mcp.server is not installed.")
    assert "switchboard-mesh[mcp]" in ended.stderr


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://mesh.example.com/v1/mcp", {"mesh.example.com", "mesh.example.com:443"}),
        ("http://Mesh.Example.Com/v1/mcp", {"mesh.example.com", "mesh.example.com:80"}),
        ("http://127.0.0.1:8000/v1/mcp", {"127.0.0.1:8000"}),
        ("http://[::1]:8000/v1/mcp", {"[::1]:8000"}),
        ("https://mesh.example.com:80/v1/mcp", {"mesh.example.com:80"}),
    ],
)
def test_only_the_configured_host_is_allowed(url: str, hosts: set[str]) -> None:
    assert hosts_of(AnyHttpUrl(url)) == hosts


def test_every_tool_has_all_of_its_parts() -> None:
    assert set(INPUTS) == set(OUTPUTS) == set(ANNOTATIONS) == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema or {})
        assert (tool.output_schema or {})["type"] == "object"
        assert all("description" in each for each in tool.input_schema["properties"].values())


def test_reply_with_and_without_optional_fields_fits_its_schema() -> None:
    question = Confirmation(
        held_id="h", calls=(CallToConfirm(tool="pay", question="Pay?"),), expires_at=datetime.now(UTC)
    )
    for more in ({}, {"confirmation": question, "staffed": True, "trace_id": "a"}):
        reply = SendReply(text="hi", agent="Bank", turn=1, hand_offs=(), failed=False, **more)
        given = OUTPUTS["ask"](session_id="s", **dict(reply)).model_dump(mode="json")
        jsonschema.validate(given, TOOLS[0].output_schema or {})


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (AgentStarted(agent="Bank"), "Bank works on it."),
        (ToolStarted(call_id="c", tool="Accounts.pay", label="send money"), "send money"),
        (TakenOver(by="staff"), "A member of staff answers."),
        (ModelStep(agent="Bank", text="I pay Bob"), ""),
    ],
)
def test_progress_has_no_words_of_customers_or_models(event: Any, words: str) -> None:
    numbered = Numbered(turn=1, seq=2, event=event)
    assert progress_words(event_frame(numbered.event, numbered.id, 1, 2, "run")) == words


def test_progress_has_nothing_of_deltas_and_comments() -> None:
    delta = Delta(turn=1, seq=2, attempt=1, writer="w", offset=0, text="I pay Bob")
    assert [progress_words(frame) for frame in (unnumbered_frame(delta), b": comment\n\n", b"")] == [""] * 3
