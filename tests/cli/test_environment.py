"""Each process of a local mesh inherits only what it needs from the shell."""

from pathlib import Path

import pytest

from services.project import reference
from switchboard.local.environment import COLLECTOR, DEMO_MODEL, GATEWAY, RESTATE, for_service, only
from switchboard.local.gateway import GatewayPorts
from switchboard.local.mesh import Addresses, Mesh
from tests.parts import need_restate_server

SHELL = {
    "PATH": "/bin",
    "LANG": "C.UTF-8",
    "OPENAI_API_KEY": "sk-1",
    "ANTHROPIC_API_KEY": "sk-2",
    "SWITCHBOARD_STAFF_TOKEN": "a token",
    "GATEWAY_JWT_SECRET": "a secret",
    "GATEWAY_REQUESTS_MAX": "7",
    "AWS_SECRET_ACCESS_KEY": "another",
    "DATABASE_URL": "postgres://shop",
    "RESTATE_LOG_FILTER": "info",
    "DEMO_MODEL_MODE": "rules",
}
COMMON = {"PATH", "LANG"}


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (GATEWAY, {"GATEWAY_JWT_SECRET", "GATEWAY_REQUESTS_MAX"}),
        (RESTATE, {"RESTATE_LOG_FILTER"}),
        (DEMO_MODEL, {"DEMO_MODEL_MODE"}),
        (COLLECTOR, set()),
    ],
)
def test_program_of_the_framework_inherits_named_variables_only(names: tuple[str, ...], more: set[str]) -> None:
    assert only(names, SHELL).keys() == COMMON | more


def test_service_of_the_mesh_inherits_no_secrets_of_others() -> None:
    assert "OPENAI_API_KEY" in for_service(SHELL, uses_model=True)
    without = for_service(SHELL, uses_model=False)
    assert not without.keys() & {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
    for inherited in (without, for_service(SHELL, uses_model=True)):
        assert inherited["DATABASE_URL"] == "postgres://shop", "settings of the mesh's own services"
        assert not inherited.keys() & {"SWITCHBOARD_STAFF_TOKEN", "GATEWAY_JWT_SECRET"}


def test_only_services_that_use_the_model_get_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_restate_server()
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value) if name != "PATH" else None
    project, model = reference(), {"OPENAI_API_KEY": "sk-1"}
    mesh = Mesh(project, tmp_path, Addresses.free(project.definition), model, gateway=GatewayPorts(1, 2))
    given = {process.name: {**(process.inherited or {}), **process.environment} for process in mesh.processes}
    assert {name for name, variables in given.items() if "OPENAI_API_KEY" in variables} == {"triage", "bank", "airline"}
    assert {name for name, variables in given.items() if "SWITCHBOARD_STAFF_TOKEN" in variables} == set()
    assert {name for name, variables in given.items() if "GATEWAY_JWT_SECRET" in variables} == {"gateway"}
    assert all(process.inherited is not None for process in mesh.processes)


def test_every_service_verifies_signatures(tmp_path: Path) -> None:
    need_restate_server()
    project = reference()
    keys = {"SWITCHBOARD_SPEAKER_KEYS", "RESTATE_IDENTITY_KEY"}
    mesh = Mesh(project, tmp_path, Addresses.free(project.definition))
    assert all(keys <= mesh.services[name].environment.keys() for name in project.definition.services)
