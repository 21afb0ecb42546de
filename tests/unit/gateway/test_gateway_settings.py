"""The gateway does not start without valid settings for tokens, and names what is missing."""

import pytest

from switchboard.gateway.settings import GatewaySettings
from switchboard.runtime.settings import load

SECRET = {"GATEWAY_JWT_SECRET": "x" * 32}
PROVIDER = {
    "GATEWAY_JWKS_URL": "https://login.example.com/keys",
    "GATEWAY_JWT_ISSUER": "https://login.example.com",
    "GATEWAY_JWT_AUDIENCE": "switchboard",
}
WRONG = [
    ({}, ["GATEWAY_JWT_SECRET", "GATEWAY_JWKS_URL"]),
    ({**SECRET, **PROVIDER}, ["exactly one of"]),
    ({"GATEWAY_JWT_SECRET": "x" * 31}, ["GATEWAY_JWT_SECRET: is shorter than 32 bytes", "openssl rand"]),
    ({"GATEWAY_JWT_SECRET": "-----BEGIN PUBLIC KEY-----" + "x" * 32}, ["GATEWAY_JWKS_URL"]),
    ({"GATEWAY_JWKS_URL": "https://x"}, ["GATEWAY_JWT_ISSUER and GATEWAY_JWT_AUDIENCE must be set"]),
    ({**PROVIDER, "GATEWAY_JWT_AUDIENCE": ""}, ["GATEWAY_JWT_AUDIENCE must be set"]),
    ({**PROVIDER, "GATEWAY_JWKS_URL": "nowhere"}, ["GATEWAY_JWKS_URL: "]),
    (
        {**SECRET, "PORT": "0", "METRICS_PORT": "x", "RESTATE_INGRESS_URL": "y", "GATEWAY_REQUESTS_MAX": "0"},
        ["PORT: ", "METRICS_PORT: ", "RESTATE_INGRESS_URL: ", "GATEWAY_REQUESTS_MAX: "],
    ),
    *(
        ({**SECRET, "GATEWAY_MCP_URL": url}, ["GATEWAY_MCP_URL: ", "https://mesh.example.com/v1/mcp"])
        for url in (
            "https://mesh.example.com",
            "https://mesh.example.com/v1/mcp/",
            "https://mesh.example.com/v1/mcp?a=b",
            "https://mesh.example.com/v1/mcp#a",
            "https://alice@mesh.example.com/v1/mcp",
        )
    ),
]


@pytest.mark.parametrize(("environment", "expected"), WRONG)
def test_missing_or_invalid_settings_are_named(
    environment: dict[str, str],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load(GatewaySettings)
    printed = capsys.readouterr().err
    assert [part for part in expected if part not in printed] == []
    assert "x" * 31 not in printed


@pytest.mark.parametrize(
    "environment",
    [
        SECRET,
        PROVIDER,
        {**SECRET, "GATEWAY_JWKS_URL": "", "GATEWAY_MCP_URL": ""},
        {**SECRET, "GATEWAY_MCP_URL": "https://mesh.example.com/v1/mcp"},
    ],
)
def test_gateway_settings_load_when_they_are_sufficient(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load(GatewaySettings)
    assert (settings.port, settings.metrics_port, settings.customer_claim) == (8000, 9464, "sub")
