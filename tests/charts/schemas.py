"""Validate manifests against the schemas of several Kubernetes versions and of Restate's CRDs."""

import json
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from kubernetes_validate import utils

from tests.charts.pods import pod_templates
from tests.charts.rendering import Manifest, fetched, load_all, metadata, named
from tests.parts import restate_crds

# It would read a file of megabytes twice for each object. It changes nothing that it has read.
utils.schema_contents = cache(utils.schema_contents)
utils.all_versions = cache(utils.all_versions)

KUBERNETES_VERSIONS = ("1.28", "1.31", "1.34", "1.37")
"""The oldest version that the charts support, the newest that the schemas know, and some between."""

FOREIGN = ("restate.dev/", "monitoring.coreos.com/", "gateway.networking.k8s.io/")
"""API groups that are not part of Kubernetes: the Restate operator, the Prometheus operator and the Gateway API."""

SINCE_3_1 = {
    "deletePolicy": {"type": "string", "enum": ["drain", "force"]},
    "drain": {
        "type": "object",
        "properties": {
            "timeoutSeconds": {"type": "integer"},
            "onTimeout": {"type": "string", "enum": ["hold", "force"]},
        },
    },
}
"""Properties that operator 3.1 added to RestateDeployment.spec.restate, for older schemas."""


def kubernetes_problems(manifest: Manifest, version: str) -> list[str]:
    """Return what the API server of a version such as `1.34` would reject or drop, each problem with its path."""
    if not manifest["apiVersion"].startswith(FOREIGN):
        return _problems(json.dumps(manifest, sort_keys=True), version)
    return [problem for stand_in in _stand_ins(manifest) for problem in kubernetes_problems(stand_in, version)]


@cache
def _problems(manifest: str, version: str) -> list[str]:
    data = json.loads(manifest)
    try:
        kubernetes_validate.validate(data, version, strict=True)
    except kubernetes_validate.ValidationError as problem:
        return [f"{named(data)}: {'.'.join(map(str, problem.path))}: {problem.message}"]
    except kubernetes_validate.SchemaNotFoundError as problem:
        return [f"{named(data)}: {problem.message}"]
    return []


def _stand_ins(manifest: Manifest) -> Iterator[Manifest]:
    """Yield the parts of a RestateDeployment that its CRD does not validate, as the objects that they become."""
    if manifest["kind"] != "RestateDeployment":
        return
    name = manifest["metadata"]["name"]
    for pod in pod_templates([manifest]):
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {**pod.metadata, "name": name}, "spec": pod.spec}
    draining = manifest["spec"].get("autoscaling")
    if draining:
        target = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name}
        yield {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": {**draining, "scaleTargetRef": target},
        }


def crd_problems(manifest: Manifest) -> list[str]:
    """Return what the CRD's schema rejects or would drop in a Restate object. Skips the test without CRDs."""
    schema = _crd_schemas()[manifest["kind"]]
    errors = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
    return [f"{named(manifest)}: {'.'.join(map(str, error.path))}: {error.message}" for error in errors]


@cache
def crds() -> dict[str, Any]:
    """Return the schema of each Restate kind as the CRD has it. Skips the test without CRDs."""
    return {
        crd["spec"]["names"]["kind"]: crd["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
        for text in _crd_texts()
        for crd in load_all(text)
    }


def crd_documents() -> list[Manifest]:
    """Return the CRDs themselves. Skips the test without CRDs."""
    return [crd for text in _crd_texts() for crd in load_all(text)]


def _crd_schemas() -> dict[str, Any]:
    """Return the schema of each Restate kind, made strict."""
    return _parsed(tuple(_crd_texts()))


def _crd_texts() -> list[str]:
    """Return Restate's CRDs. No package provides them, so tests skip on machines without them."""
    texts = _crds_of_the_operators_chart() or _crds_beside_the_repository()
    if not texts:
        pytest.skip(
            "needs Restate's CRDs: put the operator's chart into HELM_CHARTS_DIR, or its CRDs into RESTATE_CRDS_DIR"
        )
    return texts


def _crds_beside_the_repository() -> list[str]:
    folder = restate_crds()
    return [path.read_text() for path in sorted(folder.glob("*.yaml"))] if folder else []


def _crds_of_the_operators_chart() -> list[str]:
    """Return the CRDs in the operator's chart, if it has been downloaded."""
    dependencies = metadata("mesh-operator").get("dependencies", [])
    found = [path for path in (fetched("mesh-operator", each) for each in dependencies) if path]
    return [text for path in found for text in _crd_files(path)]


def _crd_files(chart: Path) -> list[str]:
    """Return the CRD files of a chart (a folder or a package) and of its dependencies, as YAML."""
    if chart.is_dir():
        return [path.read_text() for path in sorted(chart.glob("**/crd-manifests/*.yaml"))]
    with tarfile.open(chart) as package:
        members = [each for each in package.getmembers() if "/crd-manifests/" in each.name]
        files = [package.extractfile(each) for each in members]
        return [file.read().decode() for file in files if file]


@cache
def _parsed(texts: tuple[str, ...]) -> dict[str, Any]:
    crds = [crd for text in texts for crd in load_all(text)]
    return {crd["spec"]["names"]["kind"]: _schema_of(crd) for crd in crds}


def _schema_of(crd: dict[str, Any]) -> dict[str, Any]:
    schema = crd["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    properties = schema["properties"]
    if crd["spec"]["names"]["kind"] == "RestateDeployment":
        restate = properties["spec"]["properties"]["restate"]["properties"]
        restate |= {key: value for key, value in SINCE_3_1.items() if key not in restate}
    properties |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    strict: dict[str, Any] = _strict(schema)
    return strict


DROPPED = ("description", "default", "format", "properties")


def _strict(schema: Any) -> Any:
    """Convert to a JSON schema that rejects what the API server would silently drop."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    done = {key: _strict(value) for key, value in schema.items() if key not in DROPPED}
    if "properties" in schema:
        done["properties"] = {name: _strict(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            done.setdefault("additionalProperties", False)
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        done["type"] = [schema["type"], "null"]
        if "enum" in done:
            done["enum"] = [*done["enum"], None]
    if schema.get("x-kubernetes-int-or-string"):
        done["type"] = ["integer", "string"]
    return done
