"""Every field of Restate's kinds is set by a value, or docs/operate/crd-fields.md says why not."""

from functools import cache
from typing import Any

import pytest

from tests.charts.crd_fields import Row, fields, rows
from tests.charts.rendering import Settings, of_kind, render
from tests.charts.schemas import crd_problems

CHARTS = {"RestateCluster": "mesh-platform", "RestateDeployment": "agent-mesh"}

NEWER = {
    "RestateCluster": set[str](),
    "RestateDeployment": {"restate.deletePolicy", "restate.drain.onTimeout", "restate.drain.timeoutSeconds"},
}
"""Fields that the pinned operator has, and that older CRDs on a machine may lack."""

NEVER = ("not set", "always")

POD = {"name": "sidecar", "image": "registry.example.org/sidecar:1.0.0"}

SAMPLES: dict[str, Any] = {
    "restate.clusterName": "conversations",
    "restate.affinity": {"nodeAffinity": {}},
    "restate.podAnnotations": {"a": "b"},
    "restate.dnsConfig": {"nameservers": ["192.0.2.1"]},
    "restate.dnsPolicy": "None",
    "restate.extraEnv": [{"name": "RESTATE_WORKER__CLEANUP_INTERVAL", "value": "1h"}],
    "restate.extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "restate.extraVolumes": [{"name": "more", "emptyDir": {}}],
    "restate.image.tag": "1.7.99",
    "restate.image.pullPolicy": "Always",
    "restate.image.pullSecrets": ["registry-1"],
    "restate.podLabels": {"a": "b"},
    "restate.lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    "restate.nodeSelector": {"pool": "restate"},
    "restate.priorityClassName": "important",
    "restate.replicas": 3,
    "restate.resources": {"requests": {"cpu": "7"}},
    "restate.sidecars": [POD],
    "restate.terminationGracePeriodSeconds": 0,
    "restate.tolerations": [{"operator": "Exists"}],
    "restate.topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "restate.partitions": 99,
    "restate.awsPodIdentityRoleArn": "arn:aws:iam::111122223333:role/restate",
    "restate.awsPodSecurityGroups": ["sg-0123456789abcdef0"],
    "restate.disableNetworkPolicies": True,
    "restate.egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    "restate.peers.ingress": [{"podSelector": {"matchLabels": {"a": "b"}}}],
    "restate.requestSigning.key": "other.pem",
    "restate.requestSigning.existingSecret": "signing-7",
    "restate.requestSigning.secretProvider.parameters": {"objects": "key"},
    "restate.requestSigning.secretProvider.path": "key.pem",
    "restate.requestSigning.secretProvider.provider": "aws",
    "restate.serviceAccountAnnotations": {"a": "b"},
    "restate.serviceAnnotations": {"a": "b"},
    "restate.trustedCaCerts": [{"secretName": "ca", "key": "ca.crt"}],
    "restate.storage.className": "fast",
    "restate.storage.gibibytes": 99,
    "restate.storage.attributesClassName": "gold",
    "defaults.autoscaling.enabled": True,
    "defaults.minReadySeconds": 99,
    "defaults.replicas": 99,
    "defaults.deletePolicy": "force",
    "defaults.drain.onTimeout": "force",
    "defaults.drain.timeoutSeconds": 99,
    "defaults.drain.delaySeconds": 99,
    "defaults.revisionHistoryLimit": 99,
    "defaults.podLabels": {"a": "b"},
    "restate.register.cluster": "another",
    "restate.register.cloud": "an-environment",
    "restate.register.url": "https://restate.example.org",
    "restate.register.service.name": "restate",
    "restate.register.service.namespace": "there",
    "restate.register.service.path": "/admin",
    "restate.register.service.port": 9999,
}

WITH: dict[str, Settings] = {
    "restate.replicas": {"restate.replication": 2, "restate.snapshots.destination": "s3://bucket/path"},
    "restate.requestSigning.key": {"restate.requestSigning.existingSecret": "signing-7"},
    "restate.requestSigning.secretProvider.parameters": {"restate.requestSigning.secretProvider.path": "key.pem"},
    "restate.requestSigning.secretProvider.provider": {"restate.requestSigning.secretProvider.path": "key.pem"},
}
"""Values that another one needs."""

ELSEWHERE: Settings = {
    "restate.register.cluster": None,
    "restate.ingressUrl": "https://restate.example.org",
    "restate.adminUrl": "https://restate.example.org",
    "networkPolicy.restate": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
}
SERVICE: Settings = {"restate.register.service": {"name": "one", "namespace": "here"}}

API_VERSIONS = (
    "secrets-store.csi.x-k8s.io/v1/SecretProviderClass",
    "vpcresources.k8s.aws/v1beta1/SecurityGroupPolicy",
    "eks.services.k8s.aws/v1alpha1/PodIdentityAssociation",
)


def needed(path: str) -> Settings:
    if path.startswith("restate.register.") and path != "restate.register.cluster":
        return {**ELSEWHERE, **(SERVICE if ".service." in path else {})}
    return WITH.get(path, {})


@pytest.mark.parametrize("kind", CHARTS)
def test_every_field_is_in_the_table(kind: str) -> None:
    listed = [row.field for row in rows(kind)]
    assert len(listed) == len(set(listed))
    assert fields(kind) <= {*listed}
    assert {*listed} - fields(kind) <= NEWER[kind]


@pytest.mark.parametrize("kind", CHARTS)
def test_field_without_a_value_has_a_reason(kind: str) -> None:
    for row in rows(kind):
        if row.value is None:
            assert row.cell.startswith(NEVER), row.field
            assert row.note, row.field


def set_rows() -> list[Any]:
    return [pytest.param(kind, row, id=f"{kind} {row.field}") for kind in CHARTS for row in rows(kind) if row.value]


def spec_of(kind: str, settings: Settings) -> dict[str, Any]:
    found = of_kind(render(CHARTS[kind], set=settings, api_versions=API_VERSIONS, dependencies=False), kind)
    assert crd_problems(found[0]) == []
    return dict(found[0]["spec"])


@cache
def by_default(kind: str) -> dict[str, Any]:
    return spec_of(kind, {})


def at(spec: dict[str, Any], field: str) -> Any:
    found: Any = spec
    for part in field.split("."):
        found = (found or {}).get(part)
    return found


@pytest.mark.half_at_night
@pytest.mark.parametrize(("kind", "row"), set_rows())
def test_value_sets_its_field(kind: str, row: Row) -> None:
    assert row.value
    after = spec_of(kind, {**needed(row.value), row.value: SAMPLES[row.value]})
    assert at(after, row.field) is not None
    assert at(after, row.field) != at(by_default(kind), row.field)


def test_every_sample_belongs_to_a_row() -> None:
    assert {*SAMPLES} == {row.value for kind in CHARTS for row in rows(kind) if row.value}
