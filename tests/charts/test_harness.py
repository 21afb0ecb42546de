"""The checks that the chart tests use find violations of each rule of `restricted` and of each schema."""

import copy
from typing import Any

import pytest

from tests.charts.pods import PodTemplate, not_restricted
from tests.charts.schemas import KUBERNETES_VERSIONS, crd_problems, kubernetes_problems

CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": "example.org/app:1",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
POD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "initContainers": [{**CONTAINER, "name": "first"}],
    "containers": [CONTAINER],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}

BREAKS: dict[str, tuple[str, object]] = {
    "host network": ("hostNetwork", True),
    "host processes": ("hostPID", True),
    "host IPC": ("hostIPC", True),
    "host path": ("volumes.0", {"name": "host", "hostPath": {"path": "/"}}),
    "nfs volume": ("volumes.0", {"name": "nfs", "nfs": {"server": "a", "path": "/"}}),
    "sysctl": ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    "pod may be root": ("securityContext.runAsNonRoot", None),
    "pod allows root": ("securityContext.runAsNonRoot", False),
    "pod is user 0": ("securityContext.runAsUser", 0),
    "no seccomp": ("securityContext.seccompProfile", None),
    "pod unconfined": ("securityContext.seccompProfile", {"type": "Unconfined"}),
    "pod without AppArmor": ("securityContext.appArmorProfile", {"type": "Unconfined"}),
    "SELinux user": ("securityContext.seLinuxOptions", {"user": "root"}),
    "SELinux type": ("securityContext.seLinuxOptions", {"type": "spc_t"}),
    "host process": ("securityContext.windowsOptions", {"hostProcess": True}),
    "container unconfined": ("containers.0.securityContext.seccompProfile", {"type": "Unconfined"}),
    "container is user 0": ("containers.0.securityContext.runAsUser", 0),
    "container allows root": ("containers.0.securityContext.runAsNonRoot", False),
    "privileged": ("containers.0.securityContext.privileged", True),
    "escalation": ("containers.0.securityContext.allowPrivilegeEscalation", None),
    "escalation in an init container": ("initContainers.0.securityContext.allowPrivilegeEscalation", True),
    "capabilities kept": ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}),
    "capability added": ("containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_TIME"]}),
    "proc mount": ("containers.0.securityContext.procMount", "Unmasked"),
    "host port": ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}]),
    "probe of another host": ("containers.0.livenessProbe", {"httpGet": {"port": 80, "host": "10.0.0.1"}}),
    "hook of another host": ("containers.0.lifecycle", {"preStop": {"tcpSocket": {"port": 80, "host": "a"}}}),
}


def changed(pod: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    done = copy.deepcopy(pod)
    at: Any = done
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        at = at[part]
    at[last] = value
    return done


def test_restricted_pod_has_no_violations() -> None:
    assert not_restricted(PodTemplate("Pod/good", {}, POD)) == []


@pytest.mark.parametrize("rule", BREAKS)
def test_each_violation_of_restricted_is_found(rule: str) -> None:
    assert not_restricted(PodTemplate("Pod/bad", {}, changed(POD, *BREAKS[rule])))


def test_unconfined_apparmor_annotation_is_found() -> None:
    annotations = {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}}
    assert not_restricted(PodTemplate("Pod/bad", annotations, POD))


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_schemas_reject_a_typo(version: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": POD}
    assert kubernetes_problems(pod, version) == []
    assert kubernetes_problems({**pod, "spec": {**POD, "restartPolcy": "Never"}}, version)


def deployment(**restate: object) -> dict[str, Any]:
    return {
        "apiVersion": "restate.dev/v1beta1",
        "kind": "RestateDeployment",
        "metadata": {"name": "bank"},
        "spec": {
            "restate": {"register": {"cluster": "restate"}, **restate},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD},
        },
    }


def test_parts_that_the_restate_deployment_crd_does_not_check_are_checked() -> None:
    assert kubernetes_problems(deployment(), "1.34") == []
    bad = deployment()
    bad["spec"]["template"]["spec"] = changed(POD, "containers.0.ports", [{"containerPort": "9080"}])
    assert kubernetes_problems(bad, "1.34")
    bad = deployment()
    bad["spec"]["autoscaling"] = {"minReplica": 1, "maxReplicas": 4}
    assert kubernetes_problems(bad, "1.34")


def test_restate_schemas_reject_a_typo() -> None:
    assert crd_problems(deployment(drainDelaySeconds=30, deletePolicy="force")) == []
    assert crd_problems(deployment(drainDelay=30))
    assert crd_problems(deployment(deletePolicy="later"))
    assert crd_problems({**deployment(), "spec": {"restate": {"register": {"cluster": "restate"}}}})
