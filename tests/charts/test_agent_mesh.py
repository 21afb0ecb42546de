"""agent-mesh renders valid, restricted objects: a RestateDeployment for each entry of `services`, and a gateway."""

import copy
import json
from functools import cache
from typing import Any

import pytest
import yaml

from switchboard.gateway.api import OPENAPI, sessions
from switchboard.gateway.mcp_api import METADATA_PATH
from switchboard.gateway.settings import MCP_PATH
from tests.charts.golden import API_VERSIONS
from tests.charts.pods import containers, not_restricted, pod_templates
from tests.charts.rendering import (
    HELM_DIR,
    Manifest,
    Settings,
    given,
    helm,
    lint,
    load_all,
    named,
    notes,
    of_kind,
    one,
    refused,
    render,
    rendered_from,
    template,
    values,
    values_files,
)
from tests.charts.schemas import FOREIGN, KUBERNETES_VERSIONS, crd_problems, kubernetes_problems

CHART = "agent-mesh"
A2A_URL = "https://agents.example.com"
MCP_URL = f"https://mesh.example.com{MCP_PATH}"
SERVICES = ("triage", "bank", "airline", "tools")

EVERYTHING: Settings = {
    "services.newagent": {},
    "defaults.autoscaling.enabled": True,
    "gateway.autoscaling.enabled": True,
    "gateway.ingress": {"enabled": True, "className": "nginx", "hosts": ["mesh.example.org"]},
    "gateway.httpRoute": {
        "enabled": True,
        "parentRefs": [{"name": "edge"}],
        "hostnames": ["mesh.example.org"],
        "timeouts": {"request": "690s"},
    },
    "demoModel.enabled": True,
    "image.pullSecrets": ["pull"],
    "extraEnv": [{"name": "ZONE", "value": "a"}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra-{{ .Release.Name }}"}, "data": {"a": "b"}}
    ],
    "defaults.tolerations": [{"key": "mesh", "operator": "Exists"}],
    "defaults.extraVolumes": [{"name": "more", "emptyDir": {}}],
    "defaults.extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "commonLabels.team": "mesh",
    "networkPolicy.serviceCidrs": ["10.96.0.0/12"],
    "namePrefix": "a-",
}
"""All options that can be enabled together, for checks that must hold for every object."""

FILES = (None, *values_files(CHART))


@cache
def rendered(file: str | None = None, settings: str = "{}") -> list[Manifest]:
    return render(CHART, *([file] if file else []), set=json.loads(settings), api_versions=API_VERSIONS)


def rendered_with(settings: Settings) -> list[Manifest]:
    return copy.deepcopy(rendered(None, json.dumps(settings)))


def deployments(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    """Return the specs of the RestateDeployments, by name."""
    return {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "RestateDeployment")}


def all_renders() -> list[Any]:
    given = [pytest.param(rendered, file, "{}", id=str(file or "values.yaml")) for file in FILES]
    return [*given, pytest.param(rendered, None, json.dumps(EVERYTHING), id="everything")]


@pytest.mark.parametrize("file", FILES)
def test_lint_finds_nothing(file: str | None) -> None:
    assert lint(CHART, *([file] if file else [])) == ""


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize(("how", "file", "settings"), all_renders())
def test_every_object_is_valid_in_kubernetes(how: Any, file: str | None, settings: str, version: str) -> None:
    ours = [each for each in how(file, settings) if not each["apiVersion"].startswith(FOREIGN[1:])]
    assert [problem for each in ours for problem in kubernetes_problems(each, version)] == []


@pytest.mark.parametrize(("how", "file", "settings"), all_renders())
def test_every_restate_deployment_matches_the_operators_crd(how: Any, file: str | None, settings: str) -> None:
    ours = of_kind(how(file, settings), "RestateDeployment")
    assert len(ours) >= len(SERVICES)
    assert [problem for each in ours for problem in crd_problems(each)] == []


@pytest.mark.parametrize(("how", "file", "settings"), all_renders())
def test_every_pod_is_restricted_read_only_and_without_token(how: Any, file: str | None, settings: str) -> None:
    pods = list(pod_templates(how(file, settings)))
    assert {"Deployment", "RestateDeployment"} <= {pod.owner.split("/")[0] for pod in pods}
    for pod in pods:
        assert not_restricted(pod) == []
        assert pod.spec["automountServiceAccountToken"] is False
        for container in containers(pod.spec):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_restriction_check_covers_the_pod_of_helm_test() -> None:
    assert "Pod/test" in {pod.owner for pod in pod_templates(rendered())}


@pytest.mark.parametrize(("how", "file", "settings"), all_renders())
def test_every_pod_has_a_service_account_without_token(how: Any, file: str | None, settings: str) -> None:
    manifests = how(file, settings)
    accounts = {each["metadata"]["name"]: each for each in of_kind(manifests, "ServiceAccount")}
    assert {pod.spec["serviceAccountName"] for pod in pod_templates(manifests)} <= accounts.keys()
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())


def test_each_entry_of_services_is_a_restate_deployment() -> None:
    assert deployments(rendered()).keys() == set(SERVICES)


def test_new_service_entry_renders_like_existing_ones() -> None:
    manifests = rendered_with({"services.newagent": {}})
    new, bank = deployments(manifests)["newagent"], deployments(manifests)["bank"]
    as_bank = json.loads(json.dumps(new).replace("newagent", "bank"))
    assert as_bank == bank
    assert (
        new["template"]["spec"]["containers"][0]["image"]
        == "registry.example.org/switchboard/switchboard-newagent:0.1.0"
    )
    for kind in ("ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"):
        assert one(manifests, kind, "newagent")
    [rule] = one(manifests, "NetworkPolicy", "demo-model")["spec"]["ingress"]
    assert "newagent" in rule["from"][0]["podSelector"]["matchExpressions"][0]["values"]


def test_disabled_service_renders_no_objects() -> None:
    manifests = rendered_with({"services.airline.enabled": False})
    assert not [named(each) for each in manifests if each["metadata"]["name"] == "airline"]


def test_service_values_override_defaults() -> None:
    manifests = rendered_with(
        {
            "services.bank": {
                "replicas": 5,
                "drain": {"delaySeconds": 0},
                "pdb": {"enabled": False},
                "image": {"repository": "acme/bank", "tag": "7f3a2c1"},
                "uses": {"model": False},
            }
        }
    )
    bank, airline = deployments(manifests)["bank"], deployments(manifests)["airline"]
    assert (bank["replicas"], airline["replicas"]) == (5, 2)
    assert (bank["restate"]["drainDelaySeconds"], airline["restate"]["drainDelaySeconds"]) == (0, 30)
    [container] = bank["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.org/switchboard/acme/bank:7f3a2c1"
    assert not [entry for entry in container["env"] if entry["name"].startswith("OPENAI")]
    budgets = {each["metadata"]["name"] for each in of_kind(manifests, "PodDisruptionBudget")}
    assert budgets == {"triage", "airline", "tools", "gateway"}


def test_digest_overrides_tags() -> None:
    digest = "sha256:" + "a" * 64
    manifests = rendered_with({"services.bank.image": {"tag": "1.0.0", "digest": digest}, "image.tag": "2.0.0"})
    images = {name: spec["template"]["spec"]["containers"][0]["image"] for name, spec in deployments(manifests).items()}
    assert images["bank"] == f"registry.example.org/switchboard/switchboard-bank@{digest}"
    assert images["airline"] == "registry.example.org/switchboard/switchboard-airline:2.0.0"


def test_autoscaled_service_has_no_fixed_replicas() -> None:
    manifests = rendered_with({"services.bank.autoscaling": {"enabled": True, "min": 3, "max": 7}})
    bank = deployments(manifests)["bank"]
    assert "replicas" not in bank
    assert "replicas" in deployments(manifests)["airline"]
    scaler = one(manifests, "HorizontalPodAutoscaler", "bank")["spec"]
    assert scaler["scaleTargetRef"] == {
        "apiVersion": "restate.dev/v1beta1",
        "kind": "RestateDeployment",
        "name": "bank",
    }
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 7)
    assert bank["autoscaling"] == {"minReplicas": 1, "maxReplicas": 7, "metrics": scaler["metrics"]}


def test_gateway_autoscaler_scales_its_deployment() -> None:
    manifests = rendered_with({"gateway.autoscaling.enabled": True})
    scaler = one(manifests, "HorizontalPodAutoscaler", "gateway")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gateway"}
    assert "replicas" not in one(manifests, "Deployment", "gateway")["spec"]


def render_as(chart_version: str, settings: Settings | None = None) -> dict[str, str]:
    """Return the services' pod templates, rendered by the chart with another version number."""
    with rendered_from(CHART) as folder:
        about = yaml.safe_load((folder / "Chart.yaml").read_text())
        (folder / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": chart_version}))
        arguments = given(folder, (), settings)
        done = helm("template", "mesh", str(folder), "--namespace", "mesh", "--is-upgrade", *arguments)
    assert done.returncode == 0, done.stderr
    specs = deployments(load_all(done.stdout))
    return {name: json.dumps(spec["template"], sort_keys=True) for name, spec in specs.items()}


def test_new_chart_version_rolls_out_no_service() -> None:
    first = {name: json.dumps(spec["template"], sort_keys=True) for name, spec in deployments(rendered()).items()}
    assert render_as("9.9.9") == first
    harmless: Settings = {
        "commonLabels": {"team": "b"},
        "services.bank.replicas": 9,
        "metrics.podMonitor.interval": "1m",
    }
    assert render_as("9.9.9", harmless) == first


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("services.bank.image", {"tag": "0.1.1"}),
        ("services.bank.env", {"LOG_LEVEL": "DEBUG"}),
        ("services.bank.podAnnotations", {"rotated": "2"}),
        ("services.bank.resources", {"limits": {"memory": "1Gi"}}),
    ],
)
def test_changed_service_value_rolls_out_only_that_service(setting: str, value: object) -> None:
    before, after = render_as("0.1.0"), render_as("0.1.0", {setting: value})
    assert {name for name in before if before[name] != after[name]} == {"bank"}


def test_changed_secrets_revision_rolls_out_all_services() -> None:
    before, after = render_as("0.1.0"), render_as("0.1.0", {"secretsRevision": "2"})
    assert all(before[name] != after[name] for name in before)


def test_changed_prices_roll_out_only_services_that_use_them() -> None:
    before = render_as("0.1.0")
    after = render_as("0.1.0", {"model.prices": {"demo": {"input": "1", "output": "2"}}})
    assert {name for name in before if before[name] != after[name]} == {"triage"}


def test_pods_have_no_version_labels() -> None:
    for pod in pod_templates(rendered_with(EVERYTHING)):
        if pod.owner.startswith("Pod/"):
            continue
        labels = {**pod.metadata["labels"], **pod.metadata.get("annotations", {})}
        assert not labels.keys() & {"helm.sh/chart", "app.kubernetes.io/version", "team"}


def test_each_version_is_spread_separately() -> None:
    for spec in deployments(rendered()).values():
        constraints = spec["template"]["spec"]["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in constraints] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        assert all(each["matchLabelKeys"] == ["pod-template-hash"] for each in constraints)
        assert all(each["labelSelector"] == spec["selector"] for each in constraints)


def test_drain_settings_are_left_out_for_operators_before_3_1() -> None:
    for spec in deployments(rendered_with({"restate.operatorDrains": False})).values():
        assert spec["restate"].keys() == {"register", "drainDelaySeconds"}


def test_services_register_with_a_managed_restate_by_url() -> None:
    manifests = rendered_with(
        {
            "restate": {
                "register": {"cluster": None, "url": "https://admin.restate.example.org:9070"},
                "ingressUrl": "https://restate.example.org:8080",
                "adminUrl": "https://admin.restate.example.org:9070",
            },
            "networkPolicy.restate": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
        }
    )
    for spec in deployments(manifests).values():
        assert spec["restate"]["register"] == {"url": "https://admin.restate.example.org:9070"}
    assert [problem for each in of_kind(manifests, "RestateDeployment") for problem in crd_problems(each)] == []


def test_pod_monitor_is_rendered_if_known_or_enabled() -> None:
    assert not of_kind(render(CHART), "PodMonitor")
    rules_only = ("monitoring.coreos.com/v1", "monitoring.coreos.com/v1/PrometheusRule")
    assert not of_kind(render(CHART, api_versions=rules_only), "PodMonitor")
    assert of_kind(render(CHART, set={"metrics.podMonitor.enabled": True}), "PodMonitor")
    assert not of_kind(rendered_with({"metrics.podMonitor.enabled": False}), "PodMonitor")
    [monitor] = of_kind(rendered(), "PodMonitor")
    ports = {port["name"] for pod in pod_templates(rendered()) for port in containers(pod.spec)[0].get("ports", [])}
    scraped = {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]}
    assert scraped == {"restate", "metrics"} <= ports
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        labels = {each["targetLabel"]: each for each in endpoint["relabelings"]}
        assert labels["job"]["replacement"] == "switchboard"
        assert {"app", "pod_template_hash"} <= labels.keys()


def test_routes_reach_only_the_customers_api() -> None:
    manifests = rendered_with(EVERYTHING)
    service = one(manifests, "Service", "a-gateway")["spec"]
    assert [port["targetPort"] for port in service["ports"]] == ["http"]
    [rule] = one(manifests, "Ingress")["spec"]["rules"]
    wanted = ["/v1/sessions", "/v1/openapi.json"]
    assert [(each["path"], each["pathType"]) for each in rule["http"]["paths"]] == [(each, "Prefix") for each in wanted]
    backends = [each["backend"]["service"] for each in rule["http"]["paths"]]
    assert backends == [{"name": "a-gateway", "port": {"name": "http"}}] * len(wanted)
    [rule] = one(manifests, "HTTPRoute")["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": each}} for each in wanted]
    assert rule["backendRefs"] == [{"name": "a-gateway", "port": service["ports"][0]["port"]}]
    assert rule["timeouts"] == {"request": "690s"}


def test_routes_reach_everything_that_customers_call() -> None:
    paths = tuple(values(CHART)["gateway"]["paths"])
    assert all(path.startswith(paths) for path in (OPENAPI, sessions.prefix))


def test_routes_reach_staffs_api_only_if_values_name_it() -> None:
    reached = one(rendered_with({**EVERYTHING, "gateway.paths": ["/v1/sessions", "/v1/staff"]}), "Ingress")
    assert "/v1/staff" in str(reached)
    assert "/v1/staff" not in str(
        [each for each in rendered_with(EVERYTHING) if each["kind"] in ("Ingress", "HTTPRoute")]
    )


@pytest.mark.parametrize(
    ("set_values", "routed"),
    [
        ({}, set()),
        ({"gateway.console.enabled": True}, {("/", "Exact"), ("/console", "Prefix")}),
        (
            {"gateway.console.enabled": True, "gateway.paths": ["/v1/sessions", "/v1/staff"]},
            {("/", "Exact"), ("/console", "Prefix"), ("/staff", "Exact")},
        ),
        ({"gateway.mcp.url": MCP_URL}, {(METADATA_PATH, "Exact")}),
        ({"gateway.a2a.url": A2A_URL}, {("/.well-known/agent-card.json", "Exact")}),
    ],
)
def test_routes_reach_console_and_metadata_only_if_they_are_served(
    set_values: Settings, routed: set[tuple[str, str]]
) -> None:
    manifests = rendered_with({**EVERYTHING, **set_values})
    [rule] = one(manifests, "Ingress")["spec"]["rules"]
    paths = {(each["path"], each["pathType"]) for each in rule["http"]["paths"]}
    assert {each for each in paths if not each[0].startswith("/v1/")} == routed
    [rule] = one(manifests, "HTTPRoute")["spec"]["rules"]
    matches = {(each["path"]["value"], each["path"]["type"].removeprefix("Path")) for each in rule["matches"]}
    assert {each for each in matches if not each[0].startswith("/v1/")} == routed


def test_console_gets_its_settings() -> None:
    console = {"enabled": True, "tokenPath": "/auth/token", "jaegerUrl": "https://jaeger.example.org"}
    [container] = one(rendered_with({"gateway.console": console}), "Deployment", "gateway")["spec"]["template"]["spec"][
        "containers"
    ]
    given = {each["name"]: each.get("value") for each in container["env"]}
    assert (given["GATEWAY_CONSOLE"], given["GATEWAY_CONSOLE_TOKEN_PATH"]) == ("true", "/auth/token")
    assert given["GATEWAY_JAEGER_URL"] == "https://jaeger.example.org"
    assert "GATEWAY_LOCAL_SIGN_IN" not in given
    assert "tokenPath" in refused(CHART, set={"gateway.console.tokenPath": "//evil.example"})


def test_mcp_server_gets_its_address_and_a_route() -> None:
    manifests = rendered_with({**EVERYTHING, "gateway.mcp.url": MCP_URL})
    [container] = one(manifests, "Deployment", "a-gateway")["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each.get("value") for each in container["env"]}["GATEWAY_MCP_URL"] == MCP_URL
    [rule] = one(manifests, "Ingress")["spec"]["rules"]
    assert (MCP_PATH, "Exact") in {(each["path"], each["pathType"]) for each in rule["http"]["paths"]}
    assert "GATEWAY_MCP_URL" not in str(rendered_with(EVERYTHING))
    for wrong in ("https://mesh.example.com/", "mesh.example.com/v1/mcp", "https://a@mesh.example.com/v1/mcp"):
        assert "mcp" in refused(CHART, set={"gateway.mcp.url": wrong})


def test_a2a_server_gets_its_settings_and_a_route() -> None:
    a2a = {"url": A2A_URL, "name": "Shop", "signingSecret": "card-key"}
    manifests = rendered_with({**EVERYTHING, "gateway.a2a": a2a})
    [container] = one(manifests, "Deployment", "a-gateway")["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each for each in container["env"]}
    assert (given["GATEWAY_A2A_URL"]["value"], given["GATEWAY_A2A_NAME"]["value"]) == (A2A_URL, "Shop")
    key = {"name": "card-key", "key": "GATEWAY_A2A_SIGNING_KEY"}
    assert given["GATEWAY_A2A_SIGNING_KEY"]["valueFrom"]["secretKeyRef"] == key
    [rule] = one(manifests, "Ingress")["spec"]["rules"]
    assert ("/v1/a2a", "Prefix") in {(each["path"], each["pathType"]) for each in rule["http"]["paths"]}
    assert "GATEWAY_A2A" not in str(rendered_with(EVERYTHING))
    assert "a2a" in refused(CHART, set={"gateway.a2a.url": "https://agents.example.com/path"})


def test_extra_objects_are_rendered_as_templates() -> None:
    assert one(rendered_with(EVERYTHING), "ConfigMap", "extra-mesh")


def test_notes_warn_of_the_demo_model_only_if_it_is_used() -> None:
    assert "THE DEMO MODEL IS IN USE" in notes(CHART)
    real = notes(CHART, set={"model.existingSecret": "model-key-1"})
    assert "DEMO MODEL" not in real
    assert "model-key-1" in real
    assert not of_kind(rendered_with({"model.existingSecret": "model-key-1"}), "Deployment")[1:]
    assert one(rendered_with({"model.existingSecret": "k", "demoModel.enabled": True}), "Deployment", "demo-model")


def test_notes_list_the_next_commands() -> None:
    text = notes(CHART)
    for line in (
        "kubectl -n mesh wait --for=condition=Ready rsd --all",
        "kubectl -n mesh exec deploy/gateway -- python -m switchboard.gateway.token",
        "helm test mesh",
        "kubectl -n restate port-forward svc/restate",
    ):
        assert line in text
    drained = text.index("delete rsd --selector app.kubernetes.io/instance=mesh")
    assert drained < text.index("helm uninstall mesh -n mesh")


def test_notes_commands_work_in_their_order() -> None:
    text = notes(CHART)
    assert text.index("  TOKEN=$(kubectl -n mesh exec deploy/gateway") < text.index("Bearer $TOKEN")
    assert "curl http://localhost:8000/v1/sessions/" in text
    behind = notes(CHART, "values-production.yaml")
    assert behind.index("  TOKEN=") < behind.index("Bearer $TOKEN")
    assert "curl https://mesh.example.org/v1/sessions/" in behind
    assert "localhost:8000" not in behind


def test_notes_warn_if_network_policy_blocks_the_route() -> None:
    route = {"gateway.httpRoute": {"enabled": True, "parentRefs": [{"name": "edge"}], "hostnames": ["a.example.org"]}}
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "envoy-gateway-system"}}}]
    warning = "the HTTPRoute does not work yet"
    assert warning in notes(CHART, set=route)
    assert warning not in notes(CHART)
    assert warning not in notes(CHART, set={**route, "networkPolicy.gatewayFrom": peers})
    assert warning not in notes(CHART, set={**route, "networkPolicy.enabled": False})


def test_chart_rejects_old_kubernetes_versions() -> None:
    done = template(CHART, kube_version="1.27.0")
    assert done.returncode != 0
    assert "incompatible with Kubernetes v1.27.0" in done.stderr


def test_chart_has_no_symlinks_to_other_folders() -> None:
    assert not [path for path in (HELM_DIR / CHART).rglob("*") if path.is_symlink()]
