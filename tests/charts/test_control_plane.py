"""The charts on a real Kubernetes API server with its controllers. KUBERNETES_DIR names the folder of the programs."""

import copy
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from switchboard.cli.new import write_project
from tests.charts.control_plane import ControlPlane, control_plane
from tests.charts.pods import PodTemplate, pod_templates
from tests.charts.rendering import (
    NAMESPACES,
    RELEASES,
    Manifest,
    Settings,
    has_dependencies,
    of_kind,
    one,
    render,
    values_files,
)
from tests.charts.schemas import SINCE_3_1, crd_documents
from tests.charts.test_agent_mesh import EVERYTHING
from tests.parts import need_helm

CHARTS = ("mesh-operator", "mesh-platform", "agent-mesh")

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

BUCKET: Settings = {"restate.snapshots.destination": "s3://bucket/path"}

IDENTITY_KEY = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that knows Restate's kinds, and the namespaces of the charts with the level `restricted`."""
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        install_kinds(running, kinds_since_3_1())
        for name in NAMESPACES.values():
            add_namespace(running, name)
        yield running


def install_kinds(plane: ControlPlane, kinds: list[Manifest]) -> None:
    done = plane.apply(*kinds)
    assert done.returncode == 0, done.stderr
    plane.succeed("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def kinds_since_3_1() -> list[Manifest]:
    return [with_restate_fields(each, SINCE_3_1) for each in crd_documents()]


def kinds_before_3_1() -> list[Manifest]:
    return [with_restate_fields(each, {}) for each in crd_documents()]


def with_restate_fields(kind: Manifest, fields: dict[str, Any]) -> Manifest:
    """Return the kind with only these of the fields that operator 3.1 added."""
    changed = copy.deepcopy(kind)
    if changed["spec"]["names"]["kind"] == "RestateDeployment":
        for version in changed["spec"]["versions"]:
            known = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["restate"]["properties"]
            for name in SINCE_3_1:
                known.pop(name, None)
            known.update(fields)
    return changed


def add_namespace(plane: ControlPlane, name: str) -> None:
    done = plane.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}},
    )
    assert done.returncode == 0, done.stderr


def installed(plane: ControlPlane, namespace: str, set: Settings | None = None) -> None:  # noqa: A002 -- helm's own name
    add_namespace(plane, namespace)
    done = plane.helm("install", "mesh", "agent-mesh", set=set, namespace=namespace)
    assert done.returncode == 0, done.stderr


def upgraded(plane: ControlPlane, namespace: str, set: Settings | None = None) -> None:  # noqa: A002 -- helm's own name
    done = plane.helm("upgrade", "mesh", "agent-mesh", set=set, namespace=namespace)
    assert done.returncode == 0, done.stderr


# --- What the API server accepts --------------------------------------------------------------------------------------


def renders() -> list[Any]:
    files = [(chart, file) for chart in CHARTS for file in (None, *values_files(chart))]
    return [pytest.param(chart, file, id=f"{chart} {file or 'values.yaml'}") for chart, file in files]


@pytest.mark.parametrize(("chart", "file"), renders())
def test_every_object_is_accepted_without_a_warning(plane: ControlPlane, chart: str, file: str | None) -> None:
    settings = BUCKET if chart == "mesh-platform" else None
    objects = plane.rendered(RELEASES[chart], chart, *([file] if file else []), set=settings, namespace="accepted")
    accepted(plane, objects)


def test_every_optional_object_is_accepted(plane: ControlPlane) -> None:
    objects = plane.rendered("mesh", "agent-mesh", set=EVERYTHING, namespace="accepted")
    assert {"HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget"} <= {each["kind"] for each in objects}
    accepted(plane, objects)


def test_mesh_of_another_project_is_accepted(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any") / "clinic"
    folder.mkdir()
    write_project(folder, "clinic", "clinic")
    objects = plane.rendered(
        "clinic",
        "agent-mesh",
        folder / "values.yaml",
        set={"image.registry": "registry.example.org"},
        namespace="accepted",
    )
    assert len(of_kind(objects, "RestateDeployment")) == 2
    accepted(plane, objects)


def accepted(plane: ControlPlane, objects: list[Manifest]) -> None:
    """Check that the API server takes all objects, in a namespace whose level is `restricted`."""
    names = {each["metadata"].get("namespace") for each in objects} - {None}
    for name in names - {each["metadata"]["name"] for each in plane.items("namespaces")}:
        add_namespace(plane, name)
    # The API server looks for a pod's account.
    assert plane.apply(*of_kind(objects, "ServiceAccount")).returncode == 0
    done = plane.apply(*known(plane, objects), words=("--dry-run=server", "--validate=strict"))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


def known(plane: ControlPlane, objects: list[Manifest]) -> list[Manifest]:
    """Leave out objects of other projects whose kinds this API server does not have."""
    groups = plane.succeed("api-versions").split()
    return [each for each in objects if each["apiVersion"] in groups]


def test_unknown_field_is_refused(plane: ControlPlane) -> None:
    """The check above finds what it looks for."""
    objects = plane.rendered("mesh", "agent-mesh", namespace="mesh")
    one(objects, "RestateDeployment", "bank")["spec"]["restate"]["surprise"] = True
    done = plane.apply(*objects, words=("--dry-run=server", "--validate=strict"))
    assert done.returncode != 0
    assert "surprise" in done.stderr


# --- Pods -------------------------------------------------------------------------------------------------------------


def created(plane: ControlPlane, pod: PodTemplate, namespace: str) -> subprocess.CompletedProcess[str]:
    """Ask the API server for a pod, as the operator does. It keeps none."""
    name = pod.owner.split("/")[1]
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**pod.metadata, "name": f"{name}-1", "namespace": namespace},
        "spec": pod.spec,
    }
    text = json.dumps(manifest)
    return plane.kubectl("create", "--dry-run=server", "--validate=strict", "--filename=-", stdin=text)


def test_namespace_with_the_level_restricted_admits_every_pod(plane: ControlPlane) -> None:
    installed(plane, "pods")
    pods = list(pod_templates(plane.rendered("mesh", "agent-mesh", namespace="pods")))
    # The account of the check before a removal exists only while it runs.
    running = [pod for pod in pods if pod.owner != "Job/removal-check"]
    assert len(running) >= 6
    refused = {pod.owner: done.stderr for pod in running if (done := created(plane, pod, "pods")).returncode}
    assert refused == {}
    plane.wait_until(lambda: len(plane.items("pods", "--namespace=pods")) >= 3, "The pods of the Deployments")


def test_namespace_with_the_level_restricted_refuses_another_container(plane: ControlPlane) -> None:
    installed(plane, "sidecars")
    sidecar = {"name": "proxy", "image": "registry.example.org/proxy:1.0.0"}
    objects = plane.rendered("mesh", "agent-mesh", set={"services.bank.sidecars": [sidecar]}, namespace="sidecars")
    [bank] = [pod for pod in pod_templates(objects) if pod.owner == "RestateDeployment/bank"]
    done = created(plane, bank, "sidecars")
    assert 'violates PodSecurity "restricted:latest"' in done.stderr
    assert 'container "proxy" must set' in done.stderr


RESTATE_POD = {
    "securityContext": {
        "runAsUser": 1000,
        "runAsGroup": 3000,
        "fsGroup": 2000,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [
        {
            "name": "restate",
            "image": "docker.io/restatedev/restate:1.7.12",
            "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
        }
    ],
    "automountServiceAccountToken": False,
}
"""The security settings of Restate's pods, as an operator before 3.2 writes them (its source at 2.9)."""


@pytest.mark.parametrize(("level", "admitted"), [("baseline", True), ("restricted", False)])
def test_restates_own_namespace_has_a_level_that_admits_its_pods(
    plane: ControlPlane, level: str, admitted: bool
) -> None:
    found = one(plane.rendered("mesh-platform", "mesh-platform", namespace="mesh-platform"), "RestateCluster")
    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    add_namespace(plane, f"restate-{level}")
    plane.succeed(
        "label", "namespace", f"restate-{level}", "--overwrite", f"pod-security.kubernetes.io/enforce={level}"
    )
    accounts = ("--namespace", f"restate-{level}", "get", "serviceaccount", "default")
    plane.wait_until(lambda: plane.kubectl(*accounts).returncode == 0, "The namespace's account")
    done = created(plane, PodTemplate("StatefulSet/restate", {}, RESTATE_POD), f"restate-{level}")
    assert (done.returncode == 0) == admitted, done.stderr


# --- The check before a removal ---------------------------------------------------------------------------------------


def of_the_release(plane: ControlPlane, namespace: str) -> dict[str, str]:
    """Return the version of each object that helm created, by kind and name."""
    kinds = "networkpolicies,restatedeployments,deployments,services,serviceaccounts,poddisruptionbudgets,hpa"
    selector = "--selector=app.kubernetes.io/managed-by=Helm"
    items = plane.items(kinds, "--namespace", namespace, selector)
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in items}


def names(objects: dict[str, str], kind: str) -> set[str]:
    return {name for name in objects if name.startswith(f"{kind}/")}


def test_removal_is_refused_while_deployments_exist_and_runs_afterwards(plane: ControlPlane) -> None:
    installed(plane, "removal")
    before = names(of_the_release(plane, "removal"), "NetworkPolicy")
    with plane.node("removal"):
        refused = plane.helm("uninstall", "mesh", namespace="removal", words=("--timeout=120s",))
        assert refused.returncode != 0
        assert "job removal-check failed" in refused.stderr
        output = refused.stdout + refused.stderr
        assert "These RestateDeployments still exist: airline, bank, tools, triage. Nothing was removed." in output
        assert output.splitlines()[0] in plane.succeed("--namespace=removal", "logs", "job/removal-check")
        assert before <= names(of_the_release(plane, "removal"), "NetworkPolicy")

        # To keep the mesh: without the first command, helm would refuse the second.
        changed: Settings = {"services.bank.replicas": 3}
        assert plane.helm("upgrade", "mesh", "agent-mesh", set=changed, namespace="removal").returncode != 0
        run(plane, command_in(output, "rollback"))
        upgraded(plane, "removal", set=changed)

        # To remove it.
        run(plane, command_in(output, "delete rsd"))
        removed = plane.helm("uninstall", "mesh", namespace="removal", words=("--timeout=120s",))
    assert removed.returncode == 0, removed.stderr
    left = of_the_release(plane, "removal")
    assert left == {}
    assert not plane.items("jobs,roles,rolebindings", "--namespace=removal")


def command_in(output: str, words: str) -> list[str]:
    """Return the command that a message names, with its program."""
    [line] = [line for line in output.splitlines() if words in line]
    return line.split()


def run(plane: ControlPlane, command: list[str]) -> None:
    programs = {"helm": need_helm(), "kubectl": str(plane.programs / "kubectl")}
    done = plane.run(programs[command[0]], *command[1:])
    assert done.returncode == 0, done.stderr


def test_removal_check_may_list_its_deployments_and_nothing_else(plane: ControlPlane) -> None:
    add_namespace(plane, "rights")
    hooks = plane.rendered("mesh", "agent-mesh", namespace="rights")
    wanted = [each for each in hooks if each["metadata"]["name"] == "removal-check" and each["kind"] != "Job"]
    granted = [each for each in wanted if each["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    assert len(granted) == 3
    assert plane.apply(*granted).returncode == 0
    plane.succeed("--namespace=rights", "create", "serviceaccount", "without-rights")
    checks, plain = rights(plane, "removal-check"), rights(plane, "without-rights")
    assert checks - plain == {("restatedeployments.restate.dev", "[list]")}
    assert plain <= checks
    config = plane.account("rights", "removal-check")
    assert plane.kubectl("--namespace=rights", "get", "rsd", kubeconfig=config).returncode == 0
    for words in (("--namespace=mesh", "get", "rsd"), ("--namespace=rights", "get", "secrets"), ("get", "rsd", "-A")):
        assert "Forbidden" in plane.kubectl(*words, kubeconfig=config).stderr


def rights(plane: ControlPlane, account: str) -> set[tuple[str, str]]:
    """Return what an account may do in its namespace: resources and verbs."""
    config = plane.account("rights", account)
    done = plane.kubectl("--namespace=rights", "auth", "can-i", "--list", "--no-headers", kubeconfig=config)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith(" ")]
    return {(line.split()[0], "[" + line.rpartition("[")[2]) for line in lines}


# --- Upgrades ---------------------------------------------------------------------------------------------------------


def test_upgrade_with_the_same_values_changes_no_object(plane: ControlPlane) -> None:
    installed(plane, "same", set={"defaults.autoscaling.enabled": True})
    before = generations(plane, "same")
    first, second = (
        plane.rendered("mesh", "agent-mesh", set={"defaults.autoscaling.enabled": True}, namespace="same")
        for _ in range(2)
    )
    assert first == second
    upgraded(plane, "same", set={"defaults.autoscaling.enabled": True})
    assert generations(plane, "same") == before
    assert len(before) > 20


def generations(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    """Return what only a change of an object's spec or data changes. Controllers change its status and its version."""
    kinds = "networkpolicies,restatedeployments,deployments,services,serviceaccounts,poddisruptionbudgets,hpa,secrets"
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["metadata"].get("generation", each.get("data"))
        for each in plane.items(kinds, "--namespace", namespace)
        if not each["metadata"]["name"].startswith("sh.helm.release")
    }


@contextmanager
def watched(plane: ControlPlane, namespace: str, *kind_and_name: str) -> Iterator[list[int]]:
    """Collect every number of replicas that an object has during the block."""
    command = [
        str(plane.programs / "kubectl"),
        f"--kubeconfig={plane.kubeconfig}",
        f"--namespace={namespace}",
        "get",
        *kind_and_name,
        "--watch",
        r"--output=jsonpath={.spec.replicas}{'\n'}",
    ]
    seen: list[int] = []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = process.stdout
    thread = threading.Thread(target=lambda: seen.extend(int(line) for line in lines if line.strip()))
    thread.start()
    try:
        plane.wait_until(lambda: seen, "The first number of replicas")
        yield seen
    finally:
        process.terminate()
        thread.join()
        process.wait()


AUTOSCALED: Settings = {
    "services.bank.autoscaling": {"enabled": True, "min": 2},
    "gateway.autoscaling": {"enabled": True, "min": 2},
}


@pytest.mark.parametrize("workload", [("rsd", "bank"), ("deployment", "gateway")], ids="/".join)
def test_autoscaler_is_switched_on_and_off_without_losing_a_pod(plane: ControlPlane, workload: tuple[str, str]) -> None:
    namespace = f"scaled-{workload[1]}"
    installed(plane, namespace)
    with watched(plane, namespace, *workload) as seen:
        upgraded(plane, namespace, set=AUTOSCALED)
        plane.succeed("--namespace", namespace, "get", "hpa", workload[1])
        # In place of an autoscaler, which has no metrics here.
        plane.succeed("--namespace", namespace, "scale", *workload, "--replicas=5")
        upgraded(plane, namespace, set={**AUTOSCALED, "telemetry.logLevel": "DEBUG"})
        plane.wait_until(lambda: seen[-1] == 5, "The autoscaler's number")
        upgraded(plane, namespace, set={f"{path}.enabled": False for path in AUTOSCALED})
        plane.wait_until(lambda: seen[-1] == 2, "The chart's own number")
    assert min(seen) >= 2, seen
    assert 5 in seen


def test_deployment_without_replicas_would_get_one_pod(plane: ControlPlane) -> None:
    """What the test above excludes: a tool that takes the field away leaves the API server's default."""
    add_namespace(plane, "dip")
    place = {"namespace": "dip"}
    tool = ("--field-manager=gitops",)
    settings: Settings = {"restate.identityKey": IDENTITY_KEY}
    fixed = one(render("agent-mesh", set=settings, namespace="dip"), "RestateDeployment", "bank")
    scaled = one(render("agent-mesh", set={**settings, **AUTOSCALED}, namespace="dip"), "RestateDeployment", "bank")
    assert plane.apply(fixed, words=tool).returncode == 0
    assert plane.apply(scaled, words=tool).returncode == 0
    assert plane.get("rsd", "bank", f"--namespace={place['namespace']}")["spec"]["replicas"] == 1


def drain_settings(plane: ControlPlane, namespace: str) -> dict[str, tuple[Any, Any]]:
    return {
        each["metadata"]["name"]: (each["spec"]["restate"].get("deletePolicy"), each["spec"]["restate"].get("drain"))
        for each in plane.items("rsd", "--namespace", namespace)
    }


def test_fields_of_new_kinds_are_written_by_the_documented_command(plane: ControlPlane) -> None:
    wanted = ("drain", {"timeoutSeconds": 3600, "onTimeout": "hold"})
    install_kinds(plane, kinds_before_3_1())
    try:
        installed(plane, "kinds")
        assert set(map(repr, drain_settings(plane, "kinds").values())) == {repr((None, None))}
    finally:
        install_kinds(plane, kinds_since_3_1())
    upgraded(plane, "kinds")
    assert set(map(repr, drain_settings(plane, "kinds").values())) == {repr((None, None))}, "helm sees no change"

    pods = plane.get("deployment", "gateway", "--namespace=kinds")["metadata"]["generation"]
    manifest = plane.helm("get", "manifest", namespace="kinds", words=("mesh",)).stdout
    place = ("--namespace=kinds", "--filename=-")
    plane.succeed("apply", "--server-side", "--force-conflicts", *place, stdin=manifest)
    assert plane.get("deployment", "gateway", "--namespace=kinds")["metadata"]["generation"] == pods
    assert all(value == wanted for value in drain_settings(plane, "kinds").values())
    # Helm can change the fields afterwards.
    upgraded(plane, "kinds", set={"services.bank.deletePolicy": "force"})
    assert drain_settings(plane, "kinds")["bank"][0] == "force"


# --- The platform and the operator ------------------------------------------------------------------------------------


def test_platform_is_installed_upgraded_and_removed(plane: ControlPlane) -> None:
    for verb in ("install", "upgrade"):
        done = plane.helm(verb, "mesh-platform", "mesh-platform", namespace="mesh-platform")
        assert done.returncode == 0, done.stderr
    public = plane.get("configmap", "request-signing", "--namespace=restate")["data"]["public"]
    assert public.startswith("publickeyv1_")
    [bank] = [
        pod
        for pod in pod_templates(plane.rendered("mesh", "agent-mesh", namespace="mesh"))
        if pod.owner == "RestateDeployment/bank"
    ]
    assert {"name": "RESTATE_IDENTITY_KEY", "value": public} in bank.spec["containers"][0]["env"]
    done = plane.helm("uninstall", "mesh-platform", namespace="mesh-platform")
    assert done.returncode == 0, done.stderr
    assert [each["metadata"]["name"] for each in plane.items("rsc")] == ["restate"], "it holds all conversations"
    again = plane.helm("install", "mesh-platform", "mesh-platform", namespace="mesh-platform")
    assert again.returncode == 0, again.stderr
    assert plane.get("configmap", "request-signing", "--namespace=restate")["data"]["public"] == public


# --- Clusters that differ from the defaults ---------------------------------------------------------------------------


def test_deployer_with_rights_in_one_namespace_installs_a_mesh(plane: ControlPlane) -> None:
    """It cannot read the public key in Restate's namespace, so it has to be given."""
    add_namespace(plane, "team")
    place = "--namespace=team"
    plane.succeed(place, "create", "serviceaccount", "deployer")
    plane.succeed(place, "create", "role", "all", "--verb=*", "--resource=*.*")
    plane.succeed(place, "create", "rolebinding", "all", "--role=all", "--serviceaccount=team:deployer")
    deployer = plane.account("team", "deployer")
    refused = plane.helm("install", "mesh", "agent-mesh", namespace="team", kubeconfig=deployer)
    assert 'configmaps "request-signing" is forbidden' in refused.stderr
    settings: Settings = {"restate.identityKey": IDENTITY_KEY}
    done = plane.helm("install", "mesh", "agent-mesh", set=settings, namespace="team", kubeconfig=deployer)
    assert done.returncode == 0, done.stderr


def test_release_without_restates_kinds_is_refused(plane: ControlPlane) -> None:
    plane.succeed("delete", "crd", "restatedeployments.restate.dev")
    try:
        add_namespace(plane, "early")
        done = plane.helm("install", "mesh", "agent-mesh", namespace="early")
        assert 'no matches for kind "RestateDeployment"' in done.stderr
        secrets = plane.items("secrets", "--namespace=early")
        assert secrets == [], "a key of a release that does not exist"
    finally:
        install_kinds(plane, kinds_since_3_1())


def test_priority_class_of_the_operator_survives_an_upgrade(plane: ControlPlane) -> None:
    if not has_dependencies("mesh-operator"):
        pytest.skip("set HELM_CHARTS_DIR to a folder with the operator's chart")
    place = "--namespace=restate-operator"
    kinds: Settings = {"restate-operator-helm.installCrds": False}
    done = plane.helm("install", "mesh-operator", "mesh-operator", set=kinds, namespace="restate-operator")
    assert done.returncode == 0, done.stderr
    patch = json.dumps({"spec": {"template": {"spec": {"priorityClassName": "system-cluster-critical"}}}})
    plane.succeed(place, "patch", "deployment", "restate-operator", "--patch", patch)
    changed = {**kinds, "restate-operator-helm.logging.env_filter": "debug"}
    done = plane.helm("upgrade", "mesh-operator", "mesh-operator", set=changed, namespace="restate-operator")
    assert done.returncode == 0, done.stderr
    pod = plane.get(place, "deployment", "restate-operator")["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "system-cluster-critical"
    assert {"name": "RUST_LOG", "value": "debug"} in pod["containers"][0]["env"]
    plane.wait_until(lambda: running_operators(plane), "A pod with that priority")


def running_operators(plane: ControlPlane) -> list[Manifest]:
    pods = plane.items("pods", "--namespace=restate-operator")
    return [each for each in pods if each["spec"].get("priorityClassName") == "system-cluster-critical"]
