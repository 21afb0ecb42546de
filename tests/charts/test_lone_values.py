"""A value that is set alone has an effect, or it is refused, or its comment says that it has none.

So no value of the charts is silently without effect because another one is missing.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.chart_readme import documented
from tests.charts.golden import API_VERSIONS
from tests.charts.rendering import DIGEST, HELM_DIR, Manifest, Settings, load_all, template, values
from tests.parts import at_night

PEERS = [{"podSelector": {"matchLabels": {"a": "b"}}}]
CONTAINER = {"name": "proxy", "image": "registry.example.org/proxy:1.0.0"}
LABELS = {"a": "b"}

ALONE: dict[str, Settings] = {
    "agent-mesh": {
        "namePrefix": "x-",
        "fullnameOverride": "x",
        "nameOverride": "x",
        "commonLabels": LABELS,
        "global.imageRegistry": "registry.example.org",
        "image.registry": "registry.example.org",
        "image.tag": "1.2.3",
        "image.pullPolicy": "Always",
        "image.pullSecrets": ["a"],
        "imagePullSecrets": ["a"],
        "replicaCount": 5,
        "podAnnotations": LABELS,
        "restate.register.cluster": "other",
        "restate.ingressUrl": "http://restate.example.org",
        "restate.adminUrl": "http://restate.example.org",
        "restate.identityKey": "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f",
        "speakerKeys.existingSecret": "other",
        "speakerKeys.existingSecretKey": "OTHER",
        "events.existingSecret": "other",
        "events.existingSecretKey": "OTHER",
        "events.broker.existingSecret": "other",
        "events.broker.existingSecretKey": "OTHER",
        "model.name": "gpt-5",
        "model.baseUrl": "https://a.example.org/v1",
        "model.existingSecret": "model-key-1",
        "model.existingSecretKey": "OTHER",
        "model.providers": {"vllm": {"baseUrl": "http://vllm.example.org/v1"}},
        "model.fallbackModels": ["gpt-5"],
        "model.options": {"gpt-5": {"reasoning": {"effort": "low"}}},
        "model.timeout": "PT9S",
        "model.prices": {"gpt-5": {"input": "1", "output": "1"}},
        "model.priceCurrency": "EUR",
        "sessions.budget": "9",
        "sessions.idleMax": "P9D",
        "sessions.staffSilentMax": "PT9M",
        "sessions.customer.costPerDay": "9",
        "demoModel.enabled": False,
        "demoModel.image": {"tag": "1.2.3"},
        "demoModel.env": {"A": "b"},
        "demoModel.resources.requests": {"cpu": "9m", "memory": "9Mi"},
        "demoModel.resources.limits": {"memory": "999Mi"},
        "telemetry.otlpEndpoint": "",
        "telemetry.content": "full",
        "telemetry.logLevel": "DEBUG",
        "host": "::",
        "secretsRevision": "x",
        "defaults.image.repository": "x/y",
        "defaults.image.tag": "1.2.3",
        "defaults.image.digest": DIGEST,
        "defaults.replicaCount": 7,
        "defaults.env": {"A": "b"},
        "defaults.extraEnv": [{"name": "A", "value": "b"}],
        "defaults.envFrom": [{"secretRef": {"name": "a"}}],
        "defaults.resources.requests": {"cpu": "9m", "memory": "9Mi"},
        "defaults.resources.limits": {"memory": "999Mi"},
        "defaults.autoscaling.metrics": [
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 7}},
            }
        ],
        "defaults.autoscaling.behavior": {"scaleDown": {"stabilizationWindowSeconds": 9}},
        "defaults.drain.onTimeout": "force",
        "defaults.deletePolicy": "force",
        "defaults.spread.whenUnsatisfiable": "DoNotSchedule",
        "defaults.podLabels": LABELS,
        "defaults.podAnnotations": LABELS,
        "defaults.serviceAccountAnnotations": LABELS,
        "defaults.serviceAccount.name": "x",
        "defaults.serviceAccount.annotations": LABELS,
        "defaults.podSecurityContext.seccompProfile.type": "Localhost",
        "defaults.securityContext.capabilities.drop": [],
        "defaults.migrateCommand": ["migrate"],
        "defaults.initContainers": [CONTAINER],
        "defaults.sidecars": [CONTAINER],
        "defaults.hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}],
        "defaults.runtimeClassName": "x",
        "defaults.nodeSelector": LABELS,
        "defaults.tolerations": [{"key": "a"}],
        "defaults.affinity": {"nodeAffinity": {}},
        "defaults.priorityClassName": "x",
        "defaults.extraVolumes": [{"name": "a", "emptyDir": {}}],
        "defaults.extraVolumeMounts": [{"name": "a", "mountPath": "/a"}],
        "defaults.extraEgress": [{"to": PEERS}],
        "defaults.extraIngress": [{"from": PEERS}],
        "services.bank": {"replicas": 3},
        "services.airline": {"replicas": 3},
        "gateway.auth.existingSecret": "other",
        "gateway.auth.existingSecretKey": "OTHER",
        "gateway.auth.jwksUrl": "https://a.example.org",
        "gateway.auth.issuer": "x",
        "gateway.auth.audience": "x",
        "gateway.auth.customerClaim": "x",
        "gateway.auth.signedInAcr": ["9"],
        "gateway.auth.staffClaim": "x",
        "gateway.auth.staffRole": "x",
        "gateway.a2a.name": "x",
        "gateway.a2a.description": "x",
        "gateway.a2a.signingSecret": "x",
        "gateway.console.tokenPath": "/token",
        "gateway.console.restateUiUrl": "https://a.example.org",
        "gateway.console.jaegerUrl": "https://a.example.org",
        "gateway.a2a.url": "https://a.example.org",
        "gateway.mcp.url": "https://a.example.org/v1/mcp",
        "gateway.trustedProxies": ["10.0.0.0/8"],
        "gateway.service.type": "NodePort",
        "gateway.service.annotations": LABELS,
        "gateway.paths": ["/v1/staff"],
        "gateway.ingress.className": "x",
        "gateway.ingress.annotations": LABELS,
        "gateway.ingress.hosts": ["a.example.org"],
        "gateway.ingress.tls": [{"hosts": ["a.example.org"]}],
        "gateway.httpRoute.annotations": LABELS,
        "gateway.httpRoute.parentRefs": [{"name": "edge"}],
        "gateway.httpRoute.hostnames": ["a.example.org"],
        "gateway.httpRoute.timeouts": {"request": "9s"},
        "networkPolicy.restate": PEERS,
        "networkPolicy.gatewayFrom": PEERS,
        "networkPolicy.metricsFrom": PEERS,
        "networkPolicy.collector": PEERS,
        "networkPolicy.dns": PEERS,
        "networkPolicy.dnsPorts": [9],
        "networkPolicy.serviceCidrs": ["10.0.0.0/8"],
        "networkPolicy.modelEgress.to": PEERS,
        "networkPolicy.modelEgress.ports": [9],
        "networkPolicy.jwksEgress.to": PEERS,
        "networkPolicy.brokerEgress.to": PEERS,
        "networkPolicy.brokerEgress.ports": [9],
        "metrics.podMonitor.enabled": False,
        "metrics.podMonitor.interval": "9s",
        "metrics.podMonitor.labels": LABELS,
        "tests.question": "x",
        "tests.replyPattern": "x",
        "tests.customer": "x",
        "tests.tokenSecret": "x",
        "removalCheck.apiServerPorts": [9],
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraEnvFrom": [{"secretRef": {"name": "a"}}],
        "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}],
    },
    "mesh-platform": {
        "global.imageRegistry": "registry.example.org",
        "restate.name": "other",
        "restate.clusterName": "x",
        "restate.image.repository": "registry.example.org/restate",
        "restate.image.tag": "1.2.3",
        "restate.image.digest": DIGEST,
        "restate.image.pullPolicy": "Always",
        "restate.image.pullSecrets": ["a"],
        "restate.metadata.type": "object-store",
        "restate.metadata.path": "s3://bucket/metadata",
        "restate.snapshots.destination": "s3://bucket/snapshots",
        "restate.snapshots.interval": "9m",
        "restate.s3.region": "x",
        "restate.s3.endpoint": "https://a.example.org",
        "restate.s3.existingSecret": "x",
        "restate.s3.accessKeyIdKey": "x",
        "restate.s3.secretAccessKeyKey": "x",
        "restate.serviceAccountAnnotations": LABELS,
        "restate.awsPodIdentityRoleArn": "arn:aws:iam::111122223333:role/r",
        "restate.awsPodSecurityGroups": ["sg-1"],
        "restate.operatorNamespace": "x",
        "restate.storage.className": "x",
        "restate.storage.attributesClassName": "x",
        "restate.resources.requests": {"cpu": "9m", "memory": "3Gi"},
        "restate.resources.limits": {"memory": "9Gi"},
        "restate.memory.rocksdb": "900 MiB",
        "restate.memory.invocations": "90 MiB",
        "restate.memory.queries": "90 MiB",
        "restate.memory.records": "90 MiB",
        "restate.advertisedIngressUrl": "http://a.example.org/",
        "restate.tracing.endpoint": "http://a.example.org:4317",
        "restate.logFilter": "warn",
        "restate.requestSigning.existingSecret": "other",
        "restate.requestSigning.key": "x",
        "restate.requestSigning.secretProvider": {"provider": "vault", "path": "a", "parameters": {}},
        "restate.peers.ingress": PEERS,
        "restate.peers.admin": PEERS,
        "restate.egress": [{"to": PEERS}],
        "restate.serviceCidrs": ["10.0.0.0/8"],
        "restate.trustedCaCerts": [{"secretName": "a", "key": "b"}],
        "restate.serviceAnnotations": LABELS,
        "restate.podLabels": LABELS,
        "restate.podAnnotations": LABELS,
        "restate.terminationGracePeriodSeconds": 9,
        "restate.lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "restate.sidecars": [CONTAINER],
        "restate.extraVolumes": [{"name": "a", "emptyDir": {}}],
        "restate.extraVolumeMounts": [{"name": "a", "mountPath": "/a"}],
        "restate.dnsPolicy": "None",
        "restate.dnsConfig": {"nameservers": ["192.0.2.1"]},
        "restate.nodeSelector": LABELS,
        "restate.tolerations": [{"key": "a"}],
        "restate.affinity": {"nodeAffinity": {}},
        "restate.topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "restate.priorityClassName": "x",
        "restate.extraEnv": [{"name": "A", "value": "b"}],
        "networkPolicy.spansFrom": PEERS,
        "networkPolicy.uiFrom": PEERS,
        "networkPolicy.collectorEgress": [{"to": PEERS}],
        "networkPolicy.serviceCidrs": ["10.0.0.0/8"],
        "networkPolicy.dns": PEERS,
        "networkPolicy.dnsPorts": [9],
        "monitoring.from": PEERS,
        "monitoring.runbooks": "https://a.example.org",
        "monitoring.labels": LABELS,
    },
    "mesh-operator": {
        "networkPolicy.apiServerPorts": [9],
        "networkPolicy.dns": PEERS,
        "networkPolicy.dnsPorts": [9],
        "networkPolicy.extraEgress": [{"to": PEERS}],
        "monitoring.from": PEERS,
        "monitoring.labels": LABELS,
    },
}
"""Another value than the default, for each value of the charts that is neither a number nor a boolean."""

STAND_INS: dict[str, Settings] = {
    "agent-mesh": {"gateway.auth.existingSecret": "customers-tokens", "speakerKeys.existingSecret": "speaker-keys-1"},
    "mesh-platform": {"restate.requestSigning.existingSecret": "request-signing-1"},
    "mesh-operator": {},
}
"""Secrets that a chart needs if there is no cluster."""

QUANTITIES = (("requests",), ("limits",))
"""Groups whose keys are Kubernetes' own."""

THIRD_PARTY = ("opentelemetry-collector", "jaeger", "restate-operator-helm")

REFUSED: dict[str, dict[str, str]] = {
    "agent-mesh": {
        "production": "the demo model is in use",
        "model.name": "model.name is set, but model.existingSecret and model.providers are empty",
        "model.baseUrl": "model.baseUrl is set, but model.existingSecret and model.providers are empty",
        "model.fallbackModels": "model.fallbackModels is set, but",
        "model.options": "model.options is set, but",
        "model.timeout": "model.timeout is set, but",
        "model.existingSecretKey": "model.existingSecretKey is `OTHER`, but model.existingSecret is empty",
        "events.existingSecretKey": "events.existingSecretKey is `OTHER`, but events.existingSecret is empty",
        "events.broker.existingSecret": "but networkPolicy.brokerEgress.to is empty",
        "events.broker.existingSecretKey": "but events.broker.existingSecret is empty",
        "demoModel.enabled": "There is no model",
        "gateway.auth.jwksUrl": "gateway.auth: set jwksUrl or existingSecret, not both",
        "gateway.ingress.enabled": "needs gateway.ingress.hosts",
        "gateway.httpRoute.enabled": "needs gateway.httpRoute.parentRefs",
    },
    "mesh-platform": {
        "production": "restate.snapshots.destination is empty",
        "restate.replicas": "restate.snapshots.destination (s3://bucket/path) is required",
        "restate.replication": "restate.replication is 2, but restate.replicas is only 1",
        "restate.metadata.type": "restate.metadata.path (s3://bucket/path) is required",
        "restate.metadata.path": "restate.metadata.path is set, but restate.metadata.type is `replicated`",
        "restate.s3.region": "restate.s3.region is set, but nothing would be stored on S3",
        "restate.s3.endpoint": "restate.s3.endpoint is set, but nothing would be stored on S3",
        "restate.s3.allowHttp": "restate.s3.allowHttp is set, but nothing would be stored on S3",
        "restate.s3.existingSecret": "restate.s3.existingSecret is set, but nothing would be stored on S3",
        "restate.awsPodIdentityRoleArn": "needs AWS' ACK controller for EKS",
        "restate.awsPodSecurityGroups": "needs EKS' VPC resource controller",
        "restate.requestSigning.secretProvider": "set existingSecret or secretProvider, not both",
    },
    "mesh-operator": {},
}
"""Values that need another one, and the error message that names it."""

WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {
    "agent-mesh": (
        "model.priceCurrency",
        "defaults.autoscaling.min",
        "defaults.autoscaling.max",
        "defaults.autoscaling.metrics",
        "defaults.autoscaling.behavior",
        "gateway.a2a.name",
        "gateway.a2a.description",
        "gateway.a2a.signingSecret",
        "gateway.console.tokenPath",
        "gateway.console.restateUiUrl",
        "gateway.console.jaegerUrl",
        "gateway.paths",
        "gateway.ingress.className",
        "gateway.ingress.annotations",
        "gateway.ingress.hosts",
        "gateway.ingress.tls",
        "gateway.httpRoute.annotations",
        "gateway.httpRoute.parentRefs",
        "gateway.httpRoute.hostnames",
        "gateway.httpRoute.timeouts",
        "networkPolicy.modelEgress.to",
        "networkPolicy.modelEgress.ports",
        "networkPolicy.jwksEgress.to",
        "networkPolicy.brokerEgress.to",
        "networkPolicy.brokerEgress.ports",
    ),
    "mesh-platform": (
        "restate.snapshots.interval",
        "restate.snapshots.retained",
        "restate.s3.accessKeyIdKey",
        "restate.s3.secretAccessKeyKey",
        "restate.operatorNamespace",
        "restate.requestSigning.create",
    ),
    "mesh-operator": (),
}
"""Values whose comment, or that of a value above them, says that they have no effect alone."""


def leaves(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each value of a chart that is no group, with its path."""
    if isinstance(node, dict) and node and path[-1:] not in QUANTITIES:
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    elif path[0] not in THIRD_PARTY:
        yield ".".join(path), node


def other(default: bool | int) -> object:
    """Return another value than the default: of a switch or of a number."""
    return not default if isinstance(default, bool) else default + 1


def samples(chart: str) -> dict[str, object]:
    """Return another value than the default for each value of a chart that has one."""
    found = {path: other(default) for path, default in leaves(values(chart)) if isinstance(default, bool | int)}
    return {**found, **ALONE[chart]}


@pytest.mark.parametrize("chart", ALONE)
def test_every_value_has_another_value(chart: str) -> None:
    """A new value of a chart needs an entry in ALONE, unless it is a switch or a number."""
    paths = {path for path, _ in leaves(values(chart))}
    assert samples(chart).keys() == paths


def rows() -> list[Any]:
    """Return every value. Only those that need another one are checked by day."""
    found = [(chart, path) for chart in ALONE for path in samples(chart)]
    by_day = [(chart, path) for chart, path in found if path in REFUSED[chart] or path in WITHOUT_EFFECT[chart]]
    return [*by_day, *at_night(*(each for each in found if each not in by_day))]


def rendered(chart: str, settings: Settings) -> list[Manifest] | str:
    """Return what helm renders, or its error message."""
    done = template(chart, set={**STAND_INS[chart], **settings}, api_versions=API_VERSIONS, dependencies=False)
    return done.stderr if done.returncode else load_all(done.stdout)


@pytest.mark.half_at_night
@pytest.mark.parametrize(("chart", "path"), rows())
def test_value_alone_has_an_effect_or_a_reason(chart: str, path: str) -> None:
    got = rendered(chart, {path: samples(chart)[path]})
    if path in REFUSED[chart]:
        assert isinstance(got, str), "helm accepts it"
        assert REFUSED[chart][path] in got
        return
    assert not isinstance(got, str), got
    assert (got == rendered(chart, {})) == (path in WITHOUT_EFFECT[chart])
    if path in WITHOUT_EFFECT[chart]:
        assert "no effect" in comments(chart, path) or "have none" in comments(chart, path)


def comments(chart: str, path: str) -> str:
    """Return the comment of a value, and those of values beside it that speak of the values below."""
    found = {each.key: each.description for each in documented((HELM_DIR / chart / "values.yaml").read_text())}
    group = path.rpartition(".")[0]
    beside = [text for key, text in found.items() if key.rpartition(".")[0] == group and "values below" in text]
    return " ".join([found.get(path, ""), *beside])
