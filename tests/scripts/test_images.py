"""`scripts.images` lists what the charts render, and writes values that the charts accept."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.images import Failed, built_values, images_of, listing, platform_values, rendered
from tests.charts.pods import containers, pod_templates
from tests.charts.rendering import IN_PRODUCTION, has_dependencies, render, rendered_from
from tests.parts import PROJECT, need_helm

REGISTRY = "registry.example.org/mirror"
OWN = "registry.example.org/switchboard"
DIGEST = "sha256:" + "a" * 64

SERVICES = ("triage", "bank", "airline", "tools", "gateway", "demo-model")
BUILT = [f"registry.example.org/switchboard/switchboard-{name}@{DIGEST}" for name in SERVICES]


def available() -> list[str]:
    return [chart for chart in ("mesh-operator", "mesh-platform", "agent-mesh") if has_dependencies(chart)]


def test_list_has_every_image_of_every_pod() -> None:
    need_helm()
    for chart in available():
        wanted = {each["image"] for pod in pod_templates(render(chart)) for each in containers(pod.spec)}
        with rendered_from(chart) as folder:
            assert wanted <= {*listing(None, {chart: folder}, own=OWN)}


def test_list_has_restates_image() -> None:
    need_helm()
    with rendered_from("mesh-platform", dependencies=False) as folder:
        [image] = listing(None, {"mesh-platform": folder})
    assert image.startswith("docker.io/restatedev/restate:")


def test_second_name_is_the_one_that_the_charts_render() -> None:
    need_helm()
    with rendered_from("agent-mesh") as folder:
        lines = listing(REGISTRY, {"agent-mesh": folder}, own=OWN)
    names = {tuple(line.split(" ")) for line in lines}
    assert (f"{OWN}/switchboard-bank:0.1.0", f"{REGISTRY}/switchboard-bank:0.1.0") in names
    assert len(names) == len(SERVICES)
    for chart in available():
        with rendered_from(chart) as folder:
            for line in listing(REGISTRY, {chart: folder}):
                assert line.split(" ")[1].startswith(f"{REGISTRY}/")


def test_list_may_have_digests() -> None:
    need_helm()
    with rendered_from("agent-mesh") as folder:
        lines = listing(REGISTRY, {"agent-mesh": folder}, lambda image: DIGEST, OWN)
    bank = "switchboard-bank:0.1.0"
    assert f"{OWN}/{bank}@{DIGEST} {REGISTRY}/{bank}" in lines


def test_list_has_the_image_that_the_operator_starts() -> None:
    need_helm()
    if "mesh-operator" not in available():
        pytest.skip("set HELM_CHARTS_DIR to a folder with the operator's chart")
    with rendered_from("mesh-operator") as folder:
        lines = listing(REGISTRY, {"mesh-operator": folder})
    assert f"docker.io/library/alpine:3.21 {REGISTRY}/library/alpine:3.21" in lines
    assert len(lines) == 2


def test_digests_of_built_images_satisfy_production_values(tmp_path: Path) -> None:
    values = tmp_path / "digests.yaml"
    values.write_text(yaml.safe_dump(built_values(BUILT)))
    fit = {
        "production": True,
        "model.existingSecret": "model-key-1",
        "restate.identityKey": IN_PRODUCTION["agent-mesh"]["restate.identityKey"],
    }
    objects = render("agent-mesh", values, set=fit)
    found = {each["image"] for pod in pod_templates(objects) for each in containers(pod.spec)}
    assert all(image.endswith(f"@{DIGEST}") for image in found), found


def test_file_without_digests_is_refused() -> None:
    with pytest.raises(Failed, match="No line names an image"):
        built_values(["registry.example.org/switchboard-bank:0.1.0"])


def test_digests_of_the_platform_are_values_of_its_chart() -> None:
    asked: list[str] = []

    def digest_of(image: str) -> str:
        asked.append(image)
        return DIGEST

    shown = {
        "a": "docker.io/restatedev/restate:1.7.12",
        "b": "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-k8s:0.158.0",
        "c": "jaegertracing/jaeger:2.19.0",
    }
    values = platform_values(shown, digest_of)
    assert asked == [*shown.values()]
    assert values == {
        "restate": {"image": {"digest": DIGEST}},
        "opentelemetry-collector": {"image": {"digest": DIGEST}},
        "jaeger": {"jaeger": {"image": {"digest": DIGEST}}},
    }


def test_missing_dependencies_are_named() -> None:
    need_helm()
    if (PROJECT / "deploy/helm/mesh-platform/charts").exists():
        pytest.skip("the dependencies were downloaded")
    with pytest.raises(Failed, match="helm dependency build deploy/helm/mesh-platform"):
        rendered("mesh-platform")


def test_command_prints_the_values(tmp_path: Path) -> None:
    built = tmp_path / "images.txt"
    built.write_text("\n".join(BUILT))
    done = subprocess.run(
        [sys.executable, "-m", "scripts.images", "digests", "agent-mesh", "--built", str(built)],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    assert yaml.safe_load(done.stdout) == built_values(BUILT)


def test_images_are_those_of_the_rendered_objects() -> None:
    need_helm()
    with rendered_from("agent-mesh") as folder:
        found = images_of("agent-mesh", folder=folder)
    assert found["RestateDeployment/bank/spec/template/spec/containers/0"].endswith("switchboard-bank:0.1.0")
