"""`switchboard doctor`: findings from observations."""

from pathlib import Path

import pytest

from switchboard.cli.doctor import is_reachable
from switchboard.local.findings import (
    RunningMesh,
    Services,
    Stuck,
    demo_model,
    exit_code,
    mesh,
    model,
    npm,
    ports,
    python,
    restate_server,
    stuck_calls,
)
from switchboard.local.process import free_ports
from switchboard.models.providers import PROVIDERS
from switchboard.models.settings import Choice
from switchboard.models.trial import TrialResult

BINARY = Path("/opt/restate-server")
CHOICE = Choice("groq:large", PROVIDERS["groq"], "large", "https://models.example/v1", "chat", "a key")


@pytest.mark.parametrize(
    ("version_text", "state"),
    [("restate-server 1.7.12", "ok"), ("restate-server 1.6.0", "missing"), ("", "missing")],
)
def test_restate_server_must_have_a_supported_version(version_text: str, state: str) -> None:
    assert restate_server(BINARY, version_text).state == state


def test_every_missing_part_comes_with_a_fix() -> None:
    found = [
        restate_server(None, ""),
        python((3, 9, 1)),
        npm("/usr/bin/node", None),
        ports([8080], {"8080 (Restate ingress)": "nginx (pid 7)"}, mesh_runs=False),
        *(model(CHOICE, TrialResult(accepted=False, why="no", kind=kind)) for kind in ("401", "404", "connection")),
        model(CHOICE, TrialResult(accepted=False, why="HTTP 422", kind="422", settings=("GROQ_SENDS=none",))),
    ]
    assert all(finding.state == "missing" and finding.fix for finding in found)
    assert exit_code(found) == 1


def test_ports_used_by_the_running_mesh_are_ok() -> None:
    assert ports([8080], {"8080": "restate-server (pid 7)"}, mesh_runs=True).state == "ok"


def test_model_that_answers_is_ok_and_its_key_is_not_shown() -> None:
    found = model(CHOICE, TrialResult(accepted=True))
    assert (found.state, found.found) == ("ok", "groq:large at https://models.example/v1")


def test_missing_key_and_missing_mesh_are_only_notes() -> None:
    assert exit_code([demo_model(), *mesh(None, "http://127.0.0.1:9070")]) == 0


def test_service_without_answer_is_named() -> None:
    seen = RunningMesh(agents=["Bank"], reachable={"http://a:1/": True, "http://b:2/": False}, stuck=[])
    assert [finding.found for finding in mesh(seen, "http://m") if finding.state == "missing"] == [
        "no answer from http://b:2/"
    ]


def test_service_inside_a_cluster_is_only_a_note() -> None:
    seen = RunningMesh(agents=["Bank"], reachable={"http://bank.mesh:9080/": None}, stuck=[])
    found = mesh(seen, "http://m")
    assert [(each.state, each.found) for each in found if each.subject == "services"] == [
        ("note", "not reachable from here: http://bank.mesh:9080/")
    ]
    assert exit_code(found) == 0


async def test_doctor_distinguishes_unknown_host_from_unreachable_service() -> None:
    [port] = free_ports(1)
    assert await is_reachable("http://bank.mesh.invalid:9080/") is None
    assert await is_reachable(f"http://127.0.0.1:{port}/") is False


def test_agents_are_found_by_their_role() -> None:
    registry = """{"services": [
        {"name": "Bank", "metadata": {"switchboard.role": "agent"}, "handlers": []},
        {"name": "Accounts", "metadata": {"switchboard.role": "tools"}}, {"name": "Session"}]}"""
    assert Services.model_validate_json(registry).agents() == ["Bank"]


def test_paused_call_comes_with_the_command_that_resumes_it() -> None:
    paused = Stuck(id="inv_1", target="Bank/take_turn", status="paused", last_failure="no answer")
    assert stuck_calls([paused]).fix == "npx restate invocations resume inv_1"
