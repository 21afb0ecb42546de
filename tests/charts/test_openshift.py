"""With values-openshift.yaml, OpenShift's policy `restricted-v2` admits every pod of the charts."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.charts.pods import PodTemplate, containers, not_restricted, pod_templates
from tests.charts.rendering import has_dependencies, one, render

CHARTS = ("agent-mesh", "mesh-platform", "mesh-operator")
FILE = "values-openshift.yaml"

FIRST_UID = 1_000_650_000
"""Start of a namespace's range of users and groups, as `openshift.io/sa.scc.uid-range` gives it."""

RANGE = range(FIRST_UID, FIRST_UID + 10_000)


def refused_by_restricted_v2(pod: PodTemplate) -> Iterator[str]:
    """Yield why the policy refuses the pod: it demands what `restricted` does, and users and groups of the range."""
    yield from not_restricted(pod)
    contexts: list[dict[str, Any]] = [pod.spec.get("securityContext") or {}]
    contexts += [each.get("securityContext") or {} for each in containers(pod.spec)]
    for context in contexts:
        for field in ("runAsUser", "fsGroup"):
            if context.get(field) is not None and context[field] not in RANGE:
                yield f"{pod.owner}: {field} {context[field]} is not in the namespace's range"
        if context.get("runAsGroup") is not None:
            yield f"{pod.owner}: runAsGroup {context['runAsGroup']} differs from the group of the image's files, 0"


@pytest.mark.parametrize("chart", CHARTS)
def test_policy_admits_every_pod(chart: str) -> None:
    if chart != "agent-mesh" and not has_dependencies(chart):
        pytest.skip("set HELM_CHARTS_DIR to a folder with the third-party charts")
    pods = list(pod_templates(render(chart, FILE)))
    assert pods
    assert [why for pod in pods for why in refused_by_restricted_v2(pod)] == []


def test_policy_refuses_the_default_users() -> None:
    """The check above finds what it looks for."""
    refused = {pod.owner for pod in pod_templates(render("agent-mesh")) if [*refused_by_restricted_v2(pod)]}
    assert {"RestateDeployment/bank", "Deployment/gateway", "Pod/test", "Job/removal-check"} <= refused


@pytest.mark.parametrize("chart", CHARTS)
def test_names_are_resolved_by_openshifts_dns(chart: str) -> None:
    policy = {"agent-mesh": "dns", "mesh-platform": "otel-collector", "mesh-operator": "restate-operator"}[chart]
    rules = one(render(chart, FILE, dependencies=False), "NetworkPolicy", policy)["spec"]["egress"]
    ports = {port["port"] for rule in rules for port in rule["ports"] if "openshift-dns" in str(rule.get("to"))}
    assert ports == {5353}
