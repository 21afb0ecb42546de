"""agent-mesh also takes the names that Helm users know from other charts, and puts what they set into the pods."""

from typing import Any

import pytest

from tests.charts.pods import containers, pod_templates
from tests.charts.rendering import Manifest, Settings, of_kind, one, render
from tests.charts.schemas import kubernetes_problems

CHART = "agent-mesh"

SAME: dict[str, tuple[Settings, Settings]] = {
    "imagePullSecrets": ({"imagePullSecrets": ["a", "b"]}, {"image.pullSecrets": ["a", "b"]}),
    "imagePullSecrets as objects": ({"imagePullSecrets": [{"name": "a"}]}, {"image.pullSecrets": ["a"]}),
    "replicaCount": ({"replicaCount": 5}, {"defaults.replicas": 5}),
    "replicaCount of a service": ({"services.bank.replicaCount": 5}, {"services.bank.replicas": 5}),
    "replicaCount of all services": ({"defaults.replicaCount": 5}, {"defaults.replicas": 5}),
    "replicaCount of the gateway": ({"gateway.replicaCount": 5}, {"gateway.replicas": 5}),
    "fullnameOverride": ({"fullnameOverride": "shop"}, {"namePrefix": "shop-"}),
    "podAnnotations": ({"podAnnotations": {"a": "b"}}, {"defaults.podAnnotations": {"a": "b"}}),
    "serviceAccount.annotations": (
        {"services.bank.serviceAccount": {"annotations": {"role": "x"}}},
        {"services.bank.serviceAccountAnnotations": {"role": "x"}},
    ),
    "registry of all charts": (
        {"global.imageRegistry": "registry.example.org"},
        {"image.registry": "registry.example.org"},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_usual_name_does_the_same_as_ours(name: str) -> None:
    usual, ours = SAME[name]
    assert render(CHART, set=usual) == render(CHART, set=ours)
    assert render(CHART, set=usual) != render(CHART)


def replicas(manifests: list[Manifest], name: str) -> int:
    return int(one(manifests, "RestateDeployment", name)["spec"]["replicas"])


def test_value_of_a_service_overrides_the_count_of_all() -> None:
    manifests = render(CHART, set={"replicaCount": 5, "services.bank.replicas": 3, "services.tools.replicaCount": 0})
    assert [replicas(manifests, name) for name in ("triage", "bank", "tools")] == [5, 3, 0]


SIDECAR = {"name": "proxy", "image": "registry.example.org/proxy:1.0.0"}

IN_PODS: Settings = {
    "services.bank.initContainers": [{**SIDECAR, "name": "wait"}],
    "services.bank.sidecars": [SIDECAR],
    "services.bank.hostAliases": [{"ip": "192.0.2.1", "hostnames": ["core.example.org"]}],
    "services.bank.runtimeClassName": "gvisor",
    "services.bank.podSecurityContext": {"runAsUser": 20002, "fsGroup": 20002},
    "services.bank.securityContext": {"readOnlyRootFilesystem": False},
    "services.bank.serviceAccount": {"create": False, "name": "bank-of-others"},
}


def pod_of(manifests: list[Manifest], name: str) -> dict[str, Any]:
    [found] = [pod.spec for pod in pod_templates(manifests) if pod.owner == f"RestateDeployment/{name}"]
    return found


def test_values_reach_the_pods_of_one_service_only() -> None:
    manifests = render(CHART, set=IN_PODS)
    assert [problem for each in manifests for problem in kubernetes_problems(each, "1.34")] == []
    bank = pod_of(manifests, "bank")
    assert [each["name"] for each in containers(bank)] == ["wait", "bank", "proxy"]
    assert bank["hostAliases"] == IN_PODS["services.bank.hostAliases"]
    assert bank["runtimeClassName"] == "gvisor"
    assert bank["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 20002,
        "runAsGroup": 10001,
        "fsGroup": 20002,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert bank["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is False
    assert bank["containers"][0]["ports"][0]["name"] == "restate", "the operator uses this port"
    assert bank["serviceAccountName"] == "bank-of-others"
    assert not [each for each in of_kind(manifests, "ServiceAccount") if "bank" in each["metadata"]["name"]]
    assert pod_of(manifests, "airline") == pod_of(render(CHART), "airline")


def test_account_that_the_chart_does_not_create_is_the_namespaces() -> None:
    manifests = render(CHART, set={"defaults.serviceAccount.create": False})
    assert pod_of(manifests, "bank")["serviceAccountName"] == "default"
    own = {each["metadata"]["name"] for each in of_kind(manifests, "ServiceAccount")}
    assert own == {"removal-check"}
