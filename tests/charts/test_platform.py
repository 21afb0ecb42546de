"""The chart mesh-platform: with one Restate node or three, it matches every schema, and the real server reads it."""

import json
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.render_collector import CONFIG_MAPS
from switchboard.local.restate_server import QUIET_LOG, find_binary
from tests.charts.api_server import cluster_with, rendering_on
from tests.charts.golden import API_VERSIONS, Golden, goldens
from tests.charts.pods import not_restricted, pod_templates
from tests.charts.rendering import (
    HELM_DIR,
    Manifest,
    Settings,
    has_dependencies,
    lint,
    load,
    metadata,
    notes,
    of_kind,
    one,
    refused,
    render,
    template,
    values,
)
from tests.charts.schemas import KUBERNETES_VERSIONS, crd_problems, kubernetes_problems
from tests.parts import need

CHART = "mesh-platform"
VARIANTS = [*goldens(CHART)]
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "Mi": 2**20, "Gi": 2**30}
PLACES_OF_A_MESSAGE = 3
"""Invocations of one message that wait at the same time: the session, its agent, and a tool that calls another one."""

USABLE_SHARE = 0.85
"""Usable share of the memory limit. Threads, connections and buffers without a setting need the rest."""

S3: Settings = {"restate.snapshots.destination": "s3://bucket/path"}

every_values_file = pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.values)


def rendered(variant: Golden, **more: Any) -> list[Manifest]:
    return render(CHART, *variant.files, set=variant.required_values, api_versions=API_VERSIONS, **more)


def bytes_of(quantity: str) -> float:
    unit = quantity.lstrip("0123456789. ")
    return float(quantity.removesuffix(unit)) * UNITS[unit]


def config_read_by_restate(restate: Manifest, tmp_path: Path) -> dict[str, Any]:
    """Return the complete configuration that the real server reads from the chart's config file."""
    server = find_binary("restate-server")
    need("the Restate server", server, "`make setup` installs it")
    file = tmp_path / "config.toml"
    file.write_text(restate["spec"]["config"])
    environment = {each["name"]: each["value"] for each in restate["spec"]["compute"]["env"] if "value" in each}
    done = subprocess.run(
        [str(server), "--config-file", str(file), "--dump-config"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tomllib.loads(done.stdout)


@every_values_file
def test_lint_finds_nothing(variant: Golden) -> None:
    assert lint(CHART, *variant.files, set=variant.required_values) == ""


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@every_values_file
def test_every_object_is_valid_in_kubernetes(variant: Golden, version: str) -> None:
    for each in rendered(variant, kube_version=version):
        if each["kind"] != "CustomResourceDefinition":
            assert kubernetes_problems(each, version) == []


@every_values_file
def test_cluster_matches_the_operators_crd(variant: Golden) -> None:
    assert crd_problems(one(rendered(variant), "RestateCluster")) == []


@every_values_file
def test_restate_reads_its_configuration_and_fits_into_its_memory(variant: Golden, tmp_path: Path) -> None:
    restate = one(rendered(variant), "RestateCluster")
    config = config_read_by_restate(restate, tmp_path)
    assert config["auto-provision"] is False, "the operator provisions the cluster and rejects another value"
    assert config["disable-telemetry"] is True
    assert config["log-filter"] == QUIET_LOG, "no customer texts in the log, as with `switchboard up`"
    budgets = [
        config["rocksdb-total-memory-size"],
        config["worker"]["invoker"]["memory-limit"],
        config["worker"]["data-service-memory-limit"],
        config["admin"]["query-engine"]["memory-size"],
        config["bifrost"]["record-cache-memory-size"],
    ]
    limit = bytes_of(restate["spec"]["compute"]["resources"]["limits"]["memory"])
    assert sum(map(bytes_of, budgets)) <= USABLE_SHARE * limit, budgets


@pytest.mark.parametrize(
    ("platform", "mesh"), [((), ()), (("values-ha.yaml",), ("values-production.yaml",))], ids=["default", "production"]
)
def test_messages_leave_places_for_their_agents(
    platform: tuple[str, ...], mesh: tuple[str, ...], tmp_path: Path
) -> None:
    """Messages that hold all of a node's places for invocations would wait for each other: their agents find none."""
    merged = [values("agent-mesh"), *(load((HELM_DIR / "agent-mesh" / name).read_text()) for name in mesh)]
    requests = last_of(merged, "gateway", "requestsMax")
    scaled = last_of(merged, "defaults", "autoscaling", "enabled")
    pods = last_of(merged, "defaults", *(("autoscaling", "max") if scaled else ("replicas",)))

    restate = one(render(CHART, *platform, set=S3 if platform else {}), "RestateCluster")
    invoker = config_read_by_restate(restate, tmp_path)["worker"]["invoker"]

    needed = PLACES_OF_A_MESSAGE * requests * pods
    assert invoker["concurrent-invocations-limit"] >= needed
    assert bytes_of(invoker["memory-limit"]) >= needed * bytes_of(invoker["per-invocation-initial-memory"])


def last_of(files: Sequence[Mapping[str, Any]], *path: str) -> Any:
    """Return a value as helm takes it from several values files."""
    found = None
    for each in files:
        value: Any = each
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        found = found if value is None else value
    return found


def test_three_nodes_are_configured_to_survive_the_loss_of_one(tmp_path: Path) -> None:
    restate = one(render(CHART, "values-ha.yaml", set=S3), "RestateCluster")
    config = config_read_by_restate(restate, tmp_path)
    assert restate["spec"]["compute"]["replicas"] == 3
    assert config["default-replication"] == 2
    assert config["metadata-client"]["addresses"] == ["http://restate-cluster:5122/"]
    assert config["worker"]["snapshots"]["destination"] == "s3://bucket/path"
    assert "snapshot-interval-num-records" not in config["worker"]["snapshots"], (
        "with both settings, Restate waits for both"
    )
    pods = {"app.kubernetes.io/name": "restate", "app.kubernetes.io/instance": restate["metadata"]["name"]}
    affinity = restate["spec"]["compute"]["affinity"]["podAntiAffinity"]
    [term] = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == pods
    assert restate["spec"]["compute"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == pods


def test_metadata_in_object_store_needs_no_metadata_server(tmp_path: Path) -> None:
    stored: Settings = {
        **S3,
        "restate.metadata": {"type": "object-store", "path": "s3://bucket/metadata"},
        "restate.s3.existingSecret": "restate-s3",
        "restate.s3.endpoint": "http://minio.minio:9000",
        "restate.s3.region": "local",
        "restate.s3.allowHttp": True,
    }
    restate = one(render(CHART, "values-ha.yaml", set=stored), "RestateCluster")
    config = config_read_by_restate(restate, tmp_path)
    assert "metadata-server" not in config["roles"]
    assert config["metadata-client"]["type"] == "object-store"
    for store in (config["metadata-client"], config["worker"]["snapshots"]):
        assert store["aws-endpoint-url"] == "http://minio.minio:9000"
        assert store["aws-allow-http"] is True
    secret = [each["name"] for each in restate["spec"]["compute"]["env"] if "valueFrom" in each]
    assert len(secret) == 4


def test_new_chart_version_does_not_restart_restate() -> None:
    """The operator copies labels and annotations of the RestateCluster to its pods."""
    about = one(render(CHART), "RestateCluster")["metadata"]
    assert not [key for key in about["labels"] if key.startswith("helm.sh/") or key.endswith("/version")]
    assert metadata(CHART)["version"] not in json.dumps(about)
    assert set(about["annotations"]) == {"helm.sh/resource-policy"}
    assert "namespace" not in about, "it is cluster-scoped"


def test_uninstall_keeps_restate_except_with_local_values() -> None:
    assert one(render(CHART), "RestateCluster")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in one(render(CHART, "values-local.yaml"), "RestateCluster")["metadata"]


def test_chart_has_no_hooks() -> None:
    hooks = [each for each in render(CHART) if "helm.sh/hook" in (each["metadata"].get("annotations") or {})]
    assert hooks == []


def tracing_endpoint(**settings: object) -> str | None:
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    restate = one(render(CHART, set=changed), "RestateCluster")
    found = [each["value"] for each in restate["spec"]["compute"]["env"] if each["name"] == "RESTATE_TRACING_ENDPOINT"]
    return str(found[0]) if found else None


def test_restate_sends_spans_to_the_collector_if_it_is_enabled() -> None:
    assert tracing_endpoint() == "http://otel-collector.mesh-platform:4317"
    assert tracing_endpoint(restate__tracing__endpoint="http://tempo:4317") == "http://tempo:4317"
    assert tracing_endpoint(restate__tracing__enabled=False) is None, "Restate does not start if the variable is empty"
    without: Settings = {"opentelemetry-collector.enabled": False}
    [restate] = of_kind(render(CHART, set=without), "RestateCluster")
    assert "RESTATE_TRACING_ENDPOINT" not in json.dumps(restate)
    assert "networkEgressRules" not in restate["spec"]["security"]


def test_empty_peers_admit_no_clients() -> None:
    no_peers: Settings = {"restate.peers": {"ingress": [], "admin": []}, "monitoring.from": []}
    assert "networkPeers" not in one(render(CHART, set=no_peers), "RestateCluster")["spec"]["security"]


def test_service_cidrs_let_restate_reach_services() -> None:
    restate = one(render(CHART, set={"restate.serviceCidrs": ["10.96.0.0/12"]}), "RestateCluster")
    [_, rule] = restate["spec"]["security"]["networkEgressRules"]
    assert rule["to"] == [{"ipBlock": {"cidr": "10.96.0.0/12"}}]
    assert {each["port"] for each in rule["ports"]} == {53, 4317, 9080}


def test_requests_are_signed_if_a_signing_secret_is_set() -> None:
    restate = one(render(CHART, set={"restate.requestSigning.existingSecret": "signing"}), "RestateCluster")
    secret = {"secretName": "signing", "key": "private.pem"}
    assert restate["spec"]["security"]["requestSigningPrivateKey"] == {"version": "v1", "secret": secret}
    assert crd_problems(restate) == []


def test_digest_overrides_tag() -> None:
    digest = f"sha256:{'0' * 64}"
    restate = one(render(CHART, set={"restate.image.digest": digest}), "RestateCluster")
    assert restate["spec"]["compute"]["image"] == f"docker.io/restatedev/restate@{digest}"


def test_restate_image_has_the_version_that_the_tests_run() -> None:
    pinned = json.loads((HELM_DIR.parents[1] / "package-lock.json").read_text())["packages"]
    version = pinned["node_modules/@restatedev/restate-server"]["version"]
    assert one(render(CHART), "RestateCluster")["spec"]["compute"]["image"].endswith(f":{version}")


INVALID: dict[str, Settings] = {
    "'imge' not allowed": {"restate.imge": {}},
    "at '/restate/image/tag'": {"restate.image.tag": "latest"},
    "at '/opentelemetry-collector/image/tag'": {"opentelemetry-collector.image.tag": "latest"},
    "at '/jaeger/jaeger/image/tag'": {"jaeger.jaeger.image.tag": "latest"},
    "at '/restate/replicas'": {"restate.replicas": "3"},
    "at '/restate/memory/rocksdb'": {"restate.memory.rocksdb": "1Gi"},
    "at '/monitoring/runbooks'": {"monitoring.runbooks": "git.example.org/mesh"},
    "at '/restate/snapshots/destination'": {"restate.snapshots.destination": "bucket/path"},
    "restate.snapshots.destination (s3://bucket/path) is required": {"restate.replicas": 3, "restate.replication": 2},
    "restate.replication must be 2": {"restate.replicas": 3, **S3},
    "must not exceed the number of nodes": {"restate.replication": 2},
    "restate.metadata.path (s3://bucket/path) is required": {"restate.metadata.type": "object-store"},
}


@pytest.mark.parametrize("problem", INVALID)
def test_invalid_values_are_rejected_with_their_path(problem: str) -> None:
    assert problem in refused(CHART, set=INVALID[problem])


def test_ha_values_without_a_bucket_are_rejected() -> None:
    assert "restate.snapshots.destination (s3://bucket/path) is required" in refused(CHART, "values-ha.yaml")


def test_rules_and_monitors_need_the_prometheus_operator() -> None:
    kinds = {each["kind"] for each in render(CHART, dependencies=False)}
    assert not {"PodMonitor", "PrometheusRule"} & kinds
    with_it = render(CHART, api_versions=API_VERSIONS, dependencies=False)
    source = yaml.safe_load((HELM_DIR / CHART / "files" / "alerts.yaml").read_text())
    assert one(with_it, "PrometheusRule")["spec"] == source, "helm must not change `{{ $labels }}`"
    jobs = {
        each["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"]
        for each in of_kind(with_it, "PodMonitor")
    }
    assert jobs == {"restate", "otel-collector"}, "the jobs that the alert rules select"


def alerts_of(settings: Settings) -> dict[str, str]:
    """Return the runbook URL of each rendered alert, by name."""
    spec = one(render(CHART, set=settings, api_versions=API_VERSIONS, dependencies=False), "PrometheusRule")["spec"]
    return {rule["alert"]: rule["annotations"]["runbook_url"] for group in spec["groups"] for rule in group["rules"]}


@pytest.mark.parametrize(
    ("setting", "alert"),
    [
        ("restate.enabled", "RestateDown"),
        ("opentelemetry-collector.enabled", "CollectorDown"),
        ("monitoring.gateway", "GatewayDown"),
        ("monitoring.operator", "OperatorDown"),
    ],
)
def test_alert_is_left_out_if_its_component_is_disabled(setting: str, alert: str) -> None:
    assert set(alerts_of({})) - set(alerts_of({setting: False})) == {alert}


@pytest.mark.parametrize("base", ["https://git.example.org/mesh/blob/main", "https://git.example.org/mesh/blob/main/"])
def test_runbook_urls_start_with_the_repository_url(base: str) -> None:
    addresses = alerts_of({"monitoring.runbooks": base})
    assert set(addresses) == set(alerts_of({}))
    for alert, address in addresses.items():
        assert address == f"https://git.example.org/mesh/blob/main/docs/operate/alerts.md#{alert.lower()}"


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule"])
def test_only_known_monitoring_kinds_are_rendered(kind: str) -> None:
    """An unknown kind would fail the whole installation."""
    group = "monitoring.coreos.com/v1"
    made = render(CHART, api_versions=[group, f"{group}/{kind}"], dependencies=False)
    assert {each["kind"] for each in made if each["apiVersion"] == group} == {kind}


def test_every_dashboard_file_becomes_a_config_map() -> None:
    maps = of_kind(render(CHART, dependencies=False), "ConfigMap")
    shown = {json.loads(text)["uid"] for each in maps for text in each["data"].values()}
    files = (HELM_DIR / CHART / "files").glob("*.json")
    assert shown == {json.loads(file.read_text())["uid"] for file in files}


def test_notes_say_what_to_wait_for_and_warn_without_snapshots() -> None:
    text = notes(CHART)
    assert "kubectl wait --for=condition=Ready rsc/restate" in text
    assert "there are no snapshots" in text
    assert text.index("helm uninstall mesh-platform") < text.index("kubectl delete rsc restate --wait")
    assert "there are no snapshots" not in notes(CHART, "values-ha.yaml", set=S3)


@every_values_file
def test_dependencies_are_restricted_and_use_our_configuration(variant: Golden) -> None:
    if not has_dependencies(CHART):
        pytest.skip("set HELM_CHARTS_DIR to a folder with the charts of the collector and Jaeger")
    manifests = rendered(variant)
    pods = {pod.owner: pod for pod in pod_templates(manifests)}
    assert set(pods) == {"Deployment/otel-collector", "Deployment/jaeger"}
    assert [why for pod in pods.values() for why in not_restricted(pod)] == []
    held = {key for each in of_kind(manifests, "ConfigMap") for key in each["data"]}
    assert set(CONFIG_MAPS.values()) <= held
    for policy in of_kind(manifests, "NetworkPolicy"):
        wanted = policy["spec"]["podSelector"]["matchLabels"]
        labels = pods[f"Deployment/{policy['metadata']['name']}"].metadata["labels"]
        assert wanted.items() <= labels.items(), "the policy must select the pods"


def test_helm_prints_no_warnings() -> None:
    assert template(CHART).stderr == ""


PARTNERS: dict[str, tuple[Settings, str]] = {
    "AWS' ACK controller for EKS": (
        {"restate.awsPodIdentityRoleArn": "arn:aws:iam::111122223333:role/restate"},
        "eks.services.k8s.aws/v1alpha1/PodIdentityAssociation",
    ),
    "EKS' VPC resource controller": (
        {"restate.awsPodSecurityGroups": ["sg-0123456789abcdef0"]},
        "vpcresources.k8s.aws/v1beta1/SecurityGroupPolicy",
    ),
    "the Secrets Store CSI driver": (
        {"restate.requestSigning.secretProvider": {"provider": "aws", "path": "key.pem"}},
        "secrets-store.csi.x-k8s.io/v1/SecretProviderClass",
    ),
}


@pytest.mark.parametrize("partner", PARTNERS)
def test_value_is_refused_without_its_partner_in_the_cluster(partner: str) -> None:
    """Without it, the operator would ignore the value and only log that."""
    settings, kind = PARTNERS[partner]
    assert f"needs {partner}" in refused(CHART, set=settings)
    assert of_kind(render(CHART, set=settings, api_versions=(kind,), dependencies=False), "RestateCluster")


@pytest.mark.parametrize(
    ("variables", "problem"), [([], "does not know the name of the EKS cluster"), (["production"], "")]
)
def test_pod_identity_is_refused_if_the_operator_does_not_know_the_cluster(variables: list[str], problem: str) -> None:
    environment = [{"name": "AWS_POD_IDENTITY_ASSOCIATION_CLUSTER", "value": name} for name in variables]
    container = {"name": "restate-operator", "env": [{"name": "RUST_LOG", "value": "info"}, *environment]}
    operator = {
        "kind": "Deployment",
        "metadata": {"name": "restate-operator", "namespace": "restate-operator"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    settings, kind = PARTNERS["AWS' ACK controller for EKS"]
    with cluster_with(operator) as address:
        done = rendering_on(address, CHART, set=settings, api_versions=(kind,))
    assert (problem in done.stderr) if problem else done.returncode == 0, done.stderr


def test_images_come_from_the_registry_of_all_images() -> None:
    registry: Settings = {"global.imageRegistry": "registry.example.org/mirror"}
    restate = one(render(CHART, set=registry, dependencies=False), "RestateCluster")["spec"]["compute"]["image"]
    assert restate.startswith("registry.example.org/mirror/restatedev/restate:")
    if not has_dependencies(CHART):
        pytest.skip("set HELM_CHARTS_DIR to a folder with the charts of the collector and Jaeger")
    images = {each["image"] for pod in pod_templates(render(CHART, set=registry)) for each in pod.spec["containers"]}
    assert all(each.startswith("registry.example.org/mirror/") for each in images), images
    assert all(each.count("registry.example.org") == 1 for each in images), images
