"""The harness of the chart tests can fail: each rule of `restricted` and each schema catches what breaks it."""

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
    "pod says root": ("securityContext.runAsNonRoot", False),
    "pod is user 0": ("securityContext.runAsUser", 0),
    "no seccomp": ("securityContext.seccompProfile", None),
    "pod unconfined": ("securityContext.seccompProfile", {"type": "Unconfined"}),
    "pod without AppArmor": ("securityContext.appArmorProfile", {"type": "Unconfined"}),
    "SELinux user": ("securityContext.seLinuxOptions", {"user": "root"}),
    "SELinux type": ("securityContext.seLinuxOptions", {"type": "spc_t"}),
    "host process": ("securityContext.windowsOptions", {"hostProcess": True}),
    "container unconfined": ("containers.0.securityContext.seccompProfile", {"type": "Unconfined"}),
    "container is user 0": ("containers.0.securityContext.runAsUser", 0),
    "container says root": ("containers.0.securityContext.runAsNonRoot", False),
    "privileged": ("containers.0.securityContext.privileged", True),
    "escalation": ("containers.0.securityContext.allowPrivilegeEscalation", None),
    "escalation in an init container": ("initContainers.0.securityContext.allowPrivilegeEscalation", True),
    "capabilities kept": ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}),
    "capability added": ("containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_TIME"]}),
    "proc mount": ("containers.0.securityContext.procMount", "Unmasked"),
    "host port": ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}]),
    "probe of another machine": ("containers.0.livenessProbe", {"httpGet": {"port": 80, "host": "10.0.0.1"}}),
    "hook of another machine": ("containers.0.lifecycle", {"preStop": {"tcpSocket": {"port": 80, "host": "a"}}}),
}


def changed(pod: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    done = copy.deepcopy(pod)
    at: Any = done
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        at = at[part]
    at[last] = value
    return done


def test_a_restricted_pod_is_let_through() -> None:
    assert not_restricted(PodTemplate("Pod/good", {}, POD)) == []


@pytest.mark.parametrize("rule", BREAKS)
def test_each_rule_of_restricted_catches_what_breaks_it(rule: str) -> None:
    assert not_restricted(PodTemplate("Pod/bad", {}, changed(POD, *BREAKS[rule])))


def test_an_apparmor_annotation_cannot_unconfine_a_container() -> None:
    annotations = {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}}
    assert not_restricted(PodTemplate("Pod/bad", annotations, POD))


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_schemas_know_a_typo(version: str) -> None:
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


def test_what_a_restate_deployment_does_not_look_into_is_looked_into() -> None:
    assert kubernetes_problems(deployment(), "1.34") == []
    bad = deployment()
    bad["spec"]["template"]["spec"] = changed(POD, "containers.0.ports", [{"containerPort": "9080"}])
    assert kubernetes_problems(bad, "1.34")
    bad = deployment()
    bad["spec"]["autoscaling"] = {"minReplica": 1, "maxReplicas": 4}
    assert kubernetes_problems(bad, "1.34")


def test_restates_schemas_know_a_typo() -> None:
    assert crd_problems(deployment(drainDelaySeconds=30, deletePolicy="force")) == []
    assert crd_problems(deployment(drainDelay=30))
    assert crd_problems(deployment(deletePolicy="later"))
    assert crd_problems({**deployment(), "spec": {"restate": {"register": {"cluster": "restate"}}}})
