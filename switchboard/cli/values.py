"""Translates mesh.toml into values of the chart agent-mesh: services, images, replicas and needs."""

from pathlib import Path
from typing import Any

import yaml

from switchboard.local.places import CHECKOUT
from switchboard.runtime.mesh_file import MeshDefinition, ServiceDefinition

Values = dict[str, Any]

IN_CHECKOUT = CHECKOUT / "deploy" / "helm" / "agent-mesh" / "values.yaml"
IN_WHEEL = Path(__file__).with_name("agent_mesh_values.yaml")
"""A copy of the same file that the wheel build adds."""

CHART_USES = {
    "model": "model",
    "restate-admin": "restateAdmin",
    "prices": "prices",
    "speaker-keys": "speakerKeys",
}
"""The chart's key for each need of a service."""

CHART_REPOSITORY_PREFIX = "switchboard-"
"""Prefix that the chart adds to a service's name to get its image repository."""

ANY_ANSWER = "."

BUILT_IN_KEYS = {"gateway": "gateway", "demo_model": "demoModel"}
"""The chart's keys for the framework's own services."""


def chart_defaults() -> Values:
    """Return the chart's own values."""
    defaults: Values = yaml.safe_load((IN_WHEEL if IN_WHEEL.is_file() else IN_CHECKOUT).read_text(encoding="utf-8"))
    return defaults


def values_text(definition: MeshDefinition) -> str:
    """Return the values as YAML, in the order of mesh.toml."""
    return yaml.safe_dump(chart_values(definition, chart_defaults()), sort_keys=False)


def chart_values(definition: MeshDefinition, defaults: Values) -> Values:
    """Return the values that make the chart run this mesh.

    Helm merges them into the chart's default services, which are those of the reference mesh. A service that only the
    chart has is therefore set to null, which removes it. A need that only the chart's service has is reset.
    """
    services = service_values(definition, defaults)
    for name, by_default in defaults["services"].items():
        services[name] = replacing(services.get(name), by_default, defaults["defaults"]["uses"])
    images = {key: image_values(definition, name) for name, key in BUILT_IN_KEYS.items()}
    tests = helm_test_values(definition, defaults)
    return {"services": services, **{key: values for key, values in {**images, "tests": tests}.items() if values}}


def helm_test_values(definition: MeshDefinition, defaults: Values) -> Values:
    """Return what `helm test` asks: the mesh's example. Any answer that is no apology passes."""
    if not definition.example or definition.example == defaults["tests"]["question"]:
        return {}
    return {"question": definition.example, "replyPattern": ANY_ANSWER}


def service_values(definition: MeshDefinition, defaults: Values) -> Values:
    """Return the values of each service that differ from the chart's `defaults`."""
    return {
        chart_name(name): {
            **image_values(definition, name),
            **({} if service.replicas is None else {"replicas": service.replicas}),
            **uses_values(service, defaults["defaults"]["uses"]),
        }
        for name, service in definition.services.items()
    }


def replacing(service: Values | None, by_default: Values, uses_by_default: Values) -> Values | None:
    """Return the values with which a service of the mesh replaces the chart's service of the same name."""
    if service is None:
        return None
    uses = {need: uses_by_default[need] for need in by_default.get("uses", {})} | service.get("uses", {})
    return {**service, **({"uses": uses} if uses else {})}


def chart_name(service: str) -> str:
    """Return the service's name in the form that Kubernetes accepts."""
    return service.replace("_", "-")


def image_values(definition: MeshDefinition, service: str) -> Values:
    repository = definition.image(service)
    if repository == CHART_REPOSITORY_PREFIX + chart_name(service):
        return {}
    return {"image": {"repository": repository}}


def uses_values(service: ServiceDefinition, by_default: Values) -> Values:
    needs = {word: need in service.uses for need, word in CHART_USES.items()}
    uses = {word: needed for word, needed in needs.items() if needed != by_default[word]}
    return {"uses": uses} if uses else {}
