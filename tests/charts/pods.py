"""Find the pod templates in manifests, and their violations of the pod security standard `restricted`."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tests.charts.rendering import Manifest, named

TEMPLATES = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "RestateDeployment"}

VOLUMES = set("configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split())
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = {"RuntimeDefault", "Localhost"}
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SYSCTLS = set(
    "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_unprivileged_port_start net.ipv4.tcp_syncookies "
    "net.ipv4.ping_group_range net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time "
    "net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes "
    "net.ipv4.tcp_rmem net.ipv4.tcp_wmem".split()
)
CONTAINER_KINDS = ("initContainers", "containers", "ephemeralContainers")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


class PodTemplate(NamedTuple):
    owner: str
    """Kind and name of the owner: `RestateDeployment/bank`."""

    metadata: dict[str, Any]
    spec: dict[str, Any]


def pod_templates(manifests: Iterable[Manifest]) -> Iterator[PodTemplate]:
    """Yield every pod template in the manifests, including those of helm's hooks."""
    for each in manifests:
        if each["kind"] == "Pod":
            yield PodTemplate(named(each), each["metadata"], each["spec"])
            continue
        spec = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each.get("spec") or {}
        if each["kind"] in TEMPLATES or each["kind"] == "CronJob":
            yield PodTemplate(named(each), spec["template"].get("metadata") or {}, spec["template"]["spec"])


def not_restricted(pod: PodTemplate) -> list[str]:
    """Return every violation of the pod security standard `restricted` (kubernetes.io, v1.35)."""
    found = [*_pod_violations(pod)]
    for container in containers(pod.spec):
        found += [f"{container['name']}: {why}" for why in _container_violations(pod.spec, container)]
    return [f"{pod.owner}: {why}" for why in found]


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a pod, including init and ephemeral ones."""
    return [each for kind in CONTAINER_KINDS for each in spec.get(kind) or [] if each]


def _pod_violations(pod: PodTemplate) -> Iterator[str]:
    context = pod.spec.get("securityContext") or {}
    yield from (f"{key} is on" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(key))
    for volume in pod.spec.get("volumes") or []:
        yield from (f"volume {volume['name']} is a {sort}" for sort in volume.keys() - {"name"} - VOLUMES)
    for sysctl in context.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not safe"
    for name, profile in (pod.metadata.get("annotations") or {}).items():
        if name.startswith(APPARMOR_ANNOTATION) and not profile.startswith(("runtime/default", "localhost/")):
            yield f"has the AppArmor profile {profile}"
    yield from _context_violations(context)


def _container_violations(spec: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    pod, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "seccompProfile is neither RuntimeDefault nor Localhost"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "does not drop all capabilities"
    yield from (f"adds {each}" for each in capabilities.get("add") or [] if each != "NET_BIND_SERVICE")
    if own.get("procMount", "Default") != "Default":
        yield f"procMount is {own['procMount']}"
    yield from (f"uses host port {port['hostPort']}" for port in container.get("ports") or [] if port.get("hostPort"))
    yield from (f"{where} has a host" for where in _hosts(container))
    yield from _context_violations(own)


def _context_violations(context: dict[str, Any]) -> Iterator[str]:
    """Yield the violations that a pod's and a container's security context have in common."""
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot is false"
    if context.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if (context.get("seccompProfile") or {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield "seccompProfile is Unconfined"
    if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in APPARMOR:
        yield "appArmorProfile is Unconfined"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "is a host process"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "has custom SELinux options"


def _hosts(container: dict[str, Any]) -> Iterator[str]:
    """Yield the probes and hooks that connect to another host (forbidden since 1.34)."""
    handlers = {probe: container.get(probe) for probe in PROBES}
    handlers |= {f"lifecycle.{name}": hook for name, hook in (container.get("lifecycle") or {}).items()}
    for where, handler in handlers.items():
        for sort in ("httpGet", "tcpSocket"):
            if ((handler or {}).get(sort) or {}).get("host"):
                yield where
