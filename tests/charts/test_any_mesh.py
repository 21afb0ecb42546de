"""The charts run a mesh that `switchboard new` created, without a bank, an airline or triage."""

import re

import pytest

from switchboard.cli.new import write_project
from tests.charts.cluster import OTHERS, network, pods_of_the_mesh
from tests.charts.netpol import Port
from tests.charts.pods import containers, not_restricted, pod_templates
from tests.charts.rendering import Manifest, of_kind, one, render
from tests.charts.schemas import KUBERNETES_VERSIONS, kubernetes_problems

SERVICES = {"front", "tools"}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """Return what agent-mesh renders with the project's values file, in the namespace that the platform expects."""
    folder = tmp_path_factory.mktemp("any") / "clinic"
    folder.mkdir()
    write_project(folder, "clinic", "clinic")
    return render("agent-mesh", folder / "values.yaml", set={"image.registry": "registry.example.org"})


def test_only_the_projects_services_are_installed(clinic: list[Manifest]) -> None:
    assert {each["metadata"]["name"] for each in of_kind(clinic, "RestateDeployment")} == SERVICES
    images = {each["image"] for pod in pod_templates(clinic) for each in containers(pod.spec)}
    assert all(image.startswith("registry.example.org/clinic-") for image in images), images


def test_no_object_mentions_the_reference_mesh(clinic: list[Manifest]) -> None:
    text = str([each for each in clinic if each["metadata"]["name"] not in ("test", "removal-check")])
    assert not re.search(r"\b(bank|airline|triage)\b", text)


def test_every_object_is_valid(clinic: list[Manifest]) -> None:
    assert [problem for each in clinic for problem in kubernetes_problems(each, KUBERNETES_VERSIONS[-2])] == []
    assert [why for pod in pod_templates(clinic) for why in not_restricted(pod)] == []


def test_mesh_works_with_the_platforms_default_policies(clinic: list[Manifest]) -> None:
    net = network(clinic, render("mesh-platform", dependencies=False))
    peers = {peer.name: peer for peer in [*pods_of_the_mesh(clinic), *OTHERS]}
    for source, target, port in (
        ("gateway", "Restate", 8080),
        ("front", "Restate", 9070),
        ("Restate", "front", 9080),
        ("Restate", "tools", 9080),
        ("front", "demo-model", 9099),
        ("front", "collector", 4318),
    ):
        assert net.allows(peers[source], peers[target], Port("TCP", port)), f"{source} -> {target}"
    assert not net.allows(peers["tools"], peers["Restate"], Port("TCP", 9070)), "mesh.toml does not name this need"


def test_sessions_and_gateway_share_the_signing_key(clinic: list[Manifest]) -> None:
    holders = {pod.owner for pod in pod_templates(clinic) if "SWITCHBOARD_SPEAKER_KEYS" in str(pod.spec)}
    assert holders == {"Deployment/gateway", "RestateDeployment/front"}


def test_helm_test_asks_the_projects_own_question(clinic: list[Manifest]) -> None:
    [container] = one(clinic, "Pod", "test")["spec"]["containers"]
    asked = {each["name"]: each.get("value") for each in container["env"]}
    assert (asked["QUESTION"], asked["REPLY_PATTERN"]) == ("where is my order A-1001?", ".")
