"""The chart mesh-operator wraps the operator's chart at a pinned version and checks the values that it passes on."""

import pytest

from tests.charts.cluster import NAMESPACES, OTHERS
from tests.charts.netpol import Network, Peer, Port
from tests.charts.pods import not_restricted, pod_templates
from tests.charts.rendering import (
    Settings,
    has_dependencies,
    lint,
    metadata,
    notes,
    of_kind,
    one,
    refused,
    render,
    values,
)
from tests.charts.schemas import kubernetes_problems

CHART = "mesh-operator"
OPERATOR = "restate-operator-helm"
OPERATOR_LABELS = {"app": "restate-operator"}
API_SERVER_PORT = 443
"""Open to any address, because no label selects the API server."""


def test_lint_finds_nothing() -> None:
    assert lint(CHART) == ""


MONITORS = ("monitoring.coreos.com/v1/PodMonitor",)


def test_chart_adds_a_policy_and_a_monitor_for_the_operator() -> None:
    own = render(CHART, dependencies=False, api_versions=MONITORS)
    assert {each["kind"] for each in own} == {"NetworkPolicy", "PodMonitor"}
    assert [problem for each in own for problem in kubernetes_problems(each, "1.34")] == []
    selected = [one(own, kind)["spec"] for kind in ("NetworkPolicy", "PodMonitor")]
    assert selected[0]["podSelector"]["matchLabels"] == selected[1]["selector"]["matchLabels"] == OPERATOR_LABELS
    assert not of_kind(render(CHART, dependencies=False), "PodMonitor")
    assert render(CHART, dependencies=False, set={f"{OPERATOR}.enabled": False}, api_versions=MONITORS) == []
    off = {"networkPolicy.enabled": False, "monitoring.podMonitor": False}
    assert render(CHART, dependencies=False, set=off, api_versions=MONITORS) == []


def test_operator_may_only_reach_what_it_needs() -> None:
    policy = render(CHART, dependencies=False)
    net = Network(policy, {name: {"kubernetes.io/metadata.name": name} for name in (*NAMESPACES, "restate-operator")})
    operator = next(peer for peer in OTHERS if peer.name == "Restate operator")
    reached = {
        (other.name, port.number)
        for other in [*OTHERS, Peer("API server", "10.96.0.1")]
        for port in (Port("TCP", 443), Port("TCP", 5122), Port("TCP", 8080), Port("TCP", 9070), Port("UDP", 53))
        if net.may_send(operator, other, port) and port.number != API_SERVER_PORT
    }
    assert reached == {("Restate", 5122), ("Restate", 9070), ("DNS", 53), ("node-local DNS", 53)}
    readers = {other.name for other in OTHERS if net.may_receive(operator, other, Port("TCP", 8080))}
    assert readers == {"Prometheus"}


def test_operator_has_an_exact_version_and_a_condition() -> None:
    [dependency] = metadata(CHART)["dependencies"]
    assert dependency["name"] == OPERATOR
    assert dependency["version"] == metadata(CHART)["appVersion"]
    assert dependency["version"].replace(".", "").isdigit()
    assert dependency["condition"] == f"{OPERATOR}.enabled"
    own = {"networkPolicy", "monitoring"}
    assert set(values(CHART)) == {OPERATOR} | own, "other keys would not reach the operator's chart"


@pytest.mark.parametrize(
    "invalid",
    [
        {"replicaCount": 2},
        {f"{OPERATOR}.replicaCount": 2},
        {f"{OPERATOR}.enbled": True},
        {f"{OPERATOR}.version": "latest"},
        {f"{OPERATOR}.nameOverride": "mine"},
        {f"{OPERATOR}.image.tag": "3.1.0"},
    ],
    ids=str,
)
def test_invalid_values_are_rejected(invalid: Settings) -> None:
    assert "values don't meet the specifications" in refused(CHART, set=invalid)


def test_registry_of_all_images_is_refused_if_the_operators_image_is_elsewhere() -> None:
    registry: Settings = {"global.imageRegistry": "registry.example.org"}
    repository = f"{OPERATOR}.image.repository"
    problem = f"Set {repository}=registry.example.org/restatedev/restate-operator as well"
    assert problem in refused(CHART, set=registry)
    assert problem in refused(CHART, set={**registry, repository: "ghcr.io/restatedev/restate-operator"})
    render(CHART, set={**registry, repository: "registry.example.org/restatedev/restate-operator"})
    render(CHART, set={**registry, f"{OPERATOR}.enabled": False})


def test_notes_say_what_to_wait_for_and_to_remove_the_operator_last() -> None:
    text = notes(CHART)
    assert "crd/restateclusters.restate.dev crd/restatedeployments.restate.dev" in text
    assert "Remove this release last" in text
    assert "Nothing was installed" in notes(CHART, set={f"{OPERATOR}.enabled": False})


def test_values_reach_the_operators_chart() -> None:
    if not has_dependencies(CHART):
        pytest.skip("set HELM_CHARTS_DIR to a folder with the operator's chart")
    kinds = [each["kind"] for each in render(CHART)]
    assert kinds.count("CustomResourceDefinition") >= 2
    assert render(CHART, set={f"{OPERATOR}.enabled": False}) == []
    [operator] = [pod for pod in pod_templates(render(CHART)) if pod.owner == "Deployment/restate-operator"]
    assert not_restricted(operator) == []
    assert operator.metadata["labels"] == OPERATOR_LABELS, "the policy and the monitor select the pod by these labels"
    without = [each["kind"] for each in render(CHART, set={f"{OPERATOR}.installCrds": False})]
    assert "CustomResourceDefinition" not in without
    assert "Deployment" in without
