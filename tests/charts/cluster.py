"""A cluster with our charts, as a network plugin sees it: labels and addresses of all peers, and all NetworkPolicies.

Restate's own policies are those that its operator (3.1) creates from a RestateCluster.
"""

from typing import Any

from tests.charts.netpol import Network, Peer
from tests.charts.pods import pod_templates
from tests.charts.rendering import Manifest, of_kind

OPERATOR = {"app": "restate-operator"}
RESTATE = {"app.kubernetes.io/name": "restate", "app.kubernetes.io/instance": "restate"}

NAMESPACES = (
    "mesh",
    "restate",
    "mesh-platform",
    "restate-operator",
    "monitoring",
    "ingress-nginx",
    "kube-system",
    "redis",
    "shop",
)

OTHERS = (
    Peer("Restate", "10.244.1.1", "restate", RESTATE),
    Peer("Restate operator", "10.244.1.2", "restate-operator", OPERATOR),
    Peer(
        "collector",
        "10.244.1.3",
        "mesh-platform",
        {
            "app.kubernetes.io/name": "opentelemetry-collector",
            "app.kubernetes.io/instance": "mesh-platform",
            "allow.restate.dev/restate": "true",
        },
    ),
    Peer(
        "Jaeger",
        "10.244.1.4",
        "mesh-platform",
        {"app.kubernetes.io/name": "jaeger", "app.kubernetes.io/instance": "mesh-platform"},
    ),
    Peer("ingress controller", "10.244.1.5", "ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}),
    Peer("Prometheus", "10.244.1.6", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
    Peer("DNS", "10.244.1.7", "kube-system", {"k8s-app": "kube-dns"}),
    Peer("Redis", "10.244.1.8", "redis", {"app.kubernetes.io/name": "redis"}),
    Peer("node-local DNS", "169.254.20.10"),
    Peer("public address", "104.18.6.192"),
    Peer("public address (IPv6)", "2606:4700::6812:6c0"),
    Peer("private address", "10.20.0.5"),
    Peer("private address (172)", "172.20.0.5"),
    Peer("private address (192)", "192.168.0.5"),
    Peer("private address (IPv6)", "fd00::5"),
    Peer("shared address", "100.64.0.5"),
    Peer("metadata of the cloud", "169.254.169.254"),
    # Pods that must not get access. One has the labels of a gateway, but is in another namespace.
    Peer("stranger in the same namespace", "10.244.9.1", "mesh", {"app.kubernetes.io/name": "stranger"}),
    Peer(
        "stranger elsewhere",
        "10.244.9.2",
        "shop",
        {"app.kubernetes.io/name": "gateway", "app.kubernetes.io/instance": "mesh"},
    ),
    Peer("another pod beside Prometheus", "10.244.9.3", "monitoring", {"app.kubernetes.io/name": "grafana"}),
)


REMOVAL_CHECK = "Job/removal-check"
"""Its pod runs only while helm removes the release, so it is none of the mesh's pods."""


def pods_of_the_mesh(manifests: list[Manifest]) -> list[Peer]:
    """Return one pod of each workload, with the labels that its controller sets."""
    found = []
    workloads = [pod for pod in pod_templates(manifests) if pod.owner != REMOVAL_CHECK]
    for number, pod in enumerate(workloads, start=1):
        kind, name = pod.owner.split("/")
        controller_labels = (
            {"allow.restate.dev/restate": "true", "pod-template-hash": "1"} if kind == "RestateDeployment" else {}
        )
        found.append(Peer(name, f"10.244.2.{number}", "mesh", {**pod.metadata["labels"], **controller_labels}))
    return found


def network(mesh: list[Manifest], platform: list[Manifest]) -> Network:
    """Return the policies that the two charts render and those that Restate's operator creates."""
    policies = [*of_kind(mesh, "NetworkPolicy"), *of_kind(platform, "NetworkPolicy")]
    for cluster in of_kind(platform, "RestateCluster"):
        policies += operators_policies(cluster["spec"])
    return Network(policies, {name: {"kubernetes.io/metadata.name": name} for name in NAMESPACES})


def operators_policies(cluster: dict[str, Any]) -> list[Manifest]:
    """Return the policies that the operator creates from `security` (in its reconcilers/network_policies.rs)."""
    security = cluster.get("security") or {}
    if security.get("disableNetworkPolicies"):
        return []
    peers = security.get("networkPeers") or {}
    own = [{"namespaceSelector": _namespace("restate"), "podSelector": {"matchLabels": RESTATE}}]
    operator = [{"namespaceSelector": _namespace("restate-operator"), "podSelector": {"matchLabels": OPERATOR}}]
    egress = [
        *(security.get("networkEgressRules") or []),
        {"to": own, "ports": [{"protocol": "TCP", "port": 5122}]},
        {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"allow.restate.dev/restate": "true"}}}]},
    ]
    dns = [
        {"namespaceSelector": _namespace("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]
    public = [
        {"ipBlock": {"cidr": "0.0.0.0/1", "except": ["10.0.0.0/8"]}},
        {"ipBlock": {"cidr": "128.0.0.0/1", "except": ["192.168.0.0/16", "172.16.0.0/12", "169.254.0.0/16"]}},
    ]
    provisions = operator if (cluster.get("cluster") or {}).get("autoProvision") else []
    node = peers.get("node", peers.get("metrics"))
    return [
        _policy("deny-all", ["Ingress", "Egress"]),
        _policy("allow-egress-to-dns", ["Egress"], egress=[{"to": dns, "ports": _ports("UDP/53", "TCP/53")}]),
        _policy("allow-restate-egress-to-public-internet", ["Egress"], egress=[{"to": public}]),
        _policy("allow-restate-egress", ["Egress"], egress=egress),
        _access("ingress", 8080, peers.get("ingress")),
        _access("admin", 9070, _with(peers.get("admin"), operator)),
        _access("metrics", 5122, _with(_with(node, own), provisions)),
    ]


def _with(peers: list[Any] | None, more: list[Any]) -> list[Any]:
    """Add peers like the operator: an empty list already allows all clients."""
    return [] if peers == [] else [*(peers or []), *more]


def _access(name: str, port: int, peers: list[Any] | None) -> Manifest:
    rule = {"ports": _ports(f"TCP/{port}"), **({"from": peers} if peers else {})}
    return _policy(f"allow-{name}-access", ["Ingress"], ingress=[] if peers is None else [rule])


def _ports(*ports: str) -> list[dict[str, Any]]:
    return [{"protocol": each.split("/")[0], "port": int(each.split("/")[1])} for each in ports]


def _namespace(name: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def _policy(name: str, types: list[str], **rules: Any) -> Manifest:
    spec = {"podSelector": {"matchLabels": RESTATE}, "policyTypes": types, **rules}
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "restate"}, "spec": spec}
