"""Translates mesh.toml into values of the chart agent-mesh: which services there are, their images and their needs."""

from typing import Any

import yaml

from switchboard.runtime.mesh_file import MeshDefinition, ServiceDefinition

CHART_USES = {"model": "model", "restate-admin": "restateAdmin", "prices": "prices"}
"""The chart's word for each need of a service."""

USED_BY_DEFAULT = {"model"}
"""The chart's `defaults.uses`."""

CHART_REPOSITORY_PREFIX = "switchboard-"
"""What the chart puts before a service's name to get its image's repository."""

BUILT_IN_KEYS = {"gateway": "gateway", "demo_model": "demoModel"}
"""Where the chart has the services of the framework itself."""


def values_text(definition: MeshDefinition) -> str:
    """Return the values as YAML."""
    return yaml.safe_dump(chart_values(definition), sort_keys=False)


def chart_values(definition: MeshDefinition) -> dict[str, Any]:
    """Return the values that mesh.toml decides. What equals the chart's defaults is left out."""
    services = {
        chart_name(name): {**image_values(definition, name), **service_values(service)}
        for name, service in definition.services.items()
    }
    images = {key: image_values(definition, name) for name, key in BUILT_IN_KEYS.items()}
    return {"services": services, **{key: values for key, values in images.items() if values}}


def chart_name(service: str) -> str:
    """Return the service's name as Kubernetes accepts it."""
    return service.replace("_", "-")


def image_values(definition: MeshDefinition, service: str) -> dict[str, Any]:
    repository = definition.image(service)
    if repository == CHART_REPOSITORY_PREFIX + chart_name(service):
        return {}
    return {"image": {"repository": repository}}


def service_values(service: ServiceDefinition) -> dict[str, Any]:
    uses = {
        chart_word: need in service.uses
        for need, chart_word in CHART_USES.items()
        if (need in service.uses) != (need in USED_BY_DEFAULT)
    }
    replicas = {} if service.replicas is None else {"replicas": service.replicas}
    return {**replicas, **({"uses": uses} if uses else {})}
