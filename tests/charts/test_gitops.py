"""The examples for Argo CD and Flux render, and render the same objects twice."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.api_server import cluster_with, config_map, namespace, rendered_on, secret
from tests.charts.rendering import HELM_DIR, IN_PRODUCTION, Manifest, Settings, load_all, of_kind, render, values_files
from tests.charts.schemas import kubernetes_problems
from tests.parts import PROJECT

GITOPS = PROJECT / "deploy" / "gitops"

CHARTS = ("mesh-platform", "agent-mesh")
"""mesh-operator has only values for its dependency."""


def documents(name: str, kind: str) -> list[dict[str, Any]]:
    found = [each for each in load_all((GITOPS / name).read_text()) if each["kind"] == kind]
    assert len(found) == 3, "one for each chart"
    return found


def values_of(tool: str, chart: str) -> dict[str, Any]:
    """Return the values that the example gives the chart."""
    if tool == "argo-cd":
        sources = [each["spec"]["source"] for each in documents("argo-cd.yaml", "Application")]
        [found] = [each for each in sources if each["path"] == f"deploy/helm/{chart}"]
        return dict(found.get("helm", {}).get("valuesObject", {}))
    specs = [each["spec"] for each in documents("flux.yaml", "HelmRelease")]
    [found] = [each for each in specs if each["chart"]["spec"]["chart"] == f"deploy/helm/{chart}"]
    return dict(found.get("values", {}))


@pytest.mark.parametrize("chart", CHARTS)
def test_argo_cds_renders_are_equal_without_a_cluster(chart: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(values_of("argo-cd", chart)))
    first, second = (render(chart, values, dependencies=False) for _ in range(2))
    assert first == second
    assert not of_kind(first, "Secret")
    assert not [each for each in first if "helm.sh/hook" in (each["metadata"].get("annotations") or {})]
    assert [problem for each in first for problem in kubernetes_problems(each, "1.34")] == []


EXISTING = (
    namespace("restate"),
    secret("request-signing", "restate"),
    config_map("request-signing", "restate", public="publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"),
    secret("gateway-jwt", "mesh"),
    secret("speaker-keys", "mesh"),
    secret("events-keys", "mesh"),
)
"""What the first installation created."""


@pytest.mark.parametrize("chart", CHARTS)
def test_fluxs_renders_are_equal_on_its_cluster(chart: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(values_of("flux", chart)))
    with cluster_with(*EXISTING) as address:
        first, second = (rendered_on(address, chart, str(values)) for _ in range(2))
    assert first == second
    if chart == "agent-mesh":
        assert "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f" in json.dumps(first)


def repeated() -> list[tuple[str, tuple[str, ...]]]:
    return [(chart, (file,)) for chart in CHARTS for file in values_files(chart)] + [(chart, ()) for chart in CHARTS]


NEEDED: dict[str, Settings] = {"mesh-platform": {"restate.snapshots.destination": "s3://bucket/path"}, "agent-mesh": {}}


@pytest.mark.parametrize(("chart", "files"), repeated())
def test_two_renders_of_the_same_values_are_equal(chart: str, files: tuple[str, ...]) -> None:
    first, second = (render(chart, *files, set=NEEDED[chart], dependencies=False) for _ in range(2))
    assert first == second


def autoscaled(live: int | None) -> list[Manifest]:
    """Return what helm sends when autoscaling is on for the bank, of which so many pods run."""
    running = {
        "apiVersion": "restate.dev/v1beta1",
        "kind": "RestateDeployment",
        "metadata": {"name": "bank", "namespace": "mesh"},
        "spec": {"replicas": live},
    }
    settings: Settings = {"services.bank.autoscaling": {"enabled": True, "min": 3, "max": 9}}
    with cluster_with(*([running] if live else [])) as address:
        return rendered_on(address, "agent-mesh", set=settings)


@pytest.mark.parametrize(("live", "wanted"), [(None, 3), (2, 3), (7, 7)])
def test_switching_autoscaling_on_keeps_the_pods_that_run(live: int | None, wanted: int) -> None:
    """Without the field, the API server would set one pod until the autoscaler acts."""
    [bank] = [each for each in of_kind(autoscaled(live), "RestateDeployment") if each["metadata"]["name"] == "bank"]
    assert bank["spec"]["replicas"] == wanted


def test_examples_name_charts_that_exist() -> None:
    assert {HELM_DIR / chart for chart in IN_PRODUCTION} <= {*HELM_DIR.iterdir()}
    for name, kind in (("argo-cd.yaml", "Application"), ("flux.yaml", "HelmRelease")):
        text = (GITOPS / name).read_text()
        assert all(f"deploy/helm/{path.name}" in text for path in HELM_DIR.iterdir()), kind
