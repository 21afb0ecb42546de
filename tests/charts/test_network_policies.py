"""The charts' policies allow exactly the connections that docs/operate/network.md lists, for every pair and port."""

import copy
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.charts.cluster import NAMESPACES, OTHERS, REMOVAL_CHECK, network, pods_of_the_mesh
from tests.charts.netpol import Network, Peer, Port
from tests.charts.pods import pod_templates
from tests.charts.rendering import Manifest, Settings, named, of_kind, render
from tests.parts import need

TABLE = Path(__file__).resolve().parents[2] / "docs" / "operate" / "network.md"

JWKS: Settings = {
    "gateway.auth": {
        "jwksUrl": "https://login.example.org/keys",
        "issuer": "https://login.example.org",
        "audience": "a",
    }
}
BROKER: Settings = {
    "events.existingSecret": "events-keys-1",
    "events.broker.existingSecret": "redis-url-1",
    "networkPolicy.brokerEgress.to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "redis"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "redis"}},
        }
    ],
}
VARIANTS: dict[str, tuple[Settings, frozenset[str]]] = {
    "demo model": ({}, frozenset({"always", "demo model", "no broker"})),
    "real model": ({"model.existingSecret": "model-key-1"}, frozenset({"always", "real model", "no broker"})),
    "JWKS": (JWKS, frozenset({"always", "demo model", "JWKS", "no broker"})),
    "broker": (BROKER, frozenset({"always", "demo model", "broker"})),
}
"""Values, and the entries in the table's column `when` that apply to them."""

OURS, ANOTHER = "mesh-platform", "another collector"
"""Further entries in that column: which collector and Jaeger the mesh uses."""

ANY = "any"
FORBIDDEN_PORTS = (
    Port("TCP", 22),
    Port("TCP", 80),
    Port("TCP", 5432),
    Port("UDP", 443),
    Port("TCP", 16686),
    Port("TCP", 4317),
)
"""Ports that no peer should be able to connect to, except where the table lists them."""


class Pair(NamedTuple):
    source: str
    target: str
    port: Port

    def __str__(self) -> str:
        return f"{self.source} -> {self.target} {self.port}"


def split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(",")]


@cache
def table() -> list[list[str]]:
    """Return the rows of the first table: from, to, port, when, why."""
    lines = TABLE.read_text().split("| from |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def port_of(text: str) -> Port:
    protocol, number = text.split("/")
    return Port(protocol, int(number))


@cache
def ports() -> tuple[Port, ...]:
    named_ports = {port_of(each) for row in table() for each in split(row[2]) if each != ANY}
    return (*sorted(named_ports), *FORBIDDEN_PORTS)


def listed(conditions: frozenset[str]) -> Iterator[Pair]:
    """Yield all pairs of the table that apply under these conditions."""
    for sources, targets, some, when, _ in table():
        if when in conditions:
            for port in ports() if some == ANY else [port_of(each) for each in split(some)]:
                yield from (Pair(source, target, port) for source in split(sources) for target in split(targets))


@cache
def manifests(variant: str) -> list[Manifest]:
    return render("agent-mesh", set=VARIANTS[variant][0])


@cache
def platform() -> list[Manifest]:
    return render("mesh-platform", dependencies=False)


@cache
def as_documented() -> list[Manifest]:
    """Return a platform that consists only of the RestateCluster shown on the page."""
    text = re.search(r"```yaml\n(# of the RestateCluster\n.*?)```", TABLE.read_text(), re.S)
    assert text is not None
    return [{"kind": "RestateCluster", "metadata": {"name": "restate"}, **yaml.safe_load(text[1])}]


def allowed(net: Network, mesh: list[Peer]) -> set[Pair]:
    """Return all allowed pairs of two different peers, of which at least one is a pod of the mesh or the platform."""
    ours = {*(peer.name for peer in mesh), "Restate"}
    if any(policy["metadata"]["namespace"] == "mesh-platform" for policy in net.policies):
        ours |= {"collector", "Jaeger"}
    peers = [*mesh, *OTHERS]
    return {
        Pair(source.name, target.name, port)
        for source in peers
        for target in peers
        if source is not target and {source.name, target.name} & ours
        for port in ports()
        if net.allows(source, target, port)
    }


def allowed_in(variant: str, given: list[Manifest], restate: list[Manifest]) -> set[Pair]:
    return allowed(network(given, restate), pods_of_the_mesh(manifests(variant)))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("restate", "collector"), [(platform, OURS), (as_documented, ANOTHER)], ids=[OURS, "as documented"]
)
def test_policies_allow_exactly_the_listed_pairs(
    variant: str, restate: Callable[[], list[Manifest]], collector: str
) -> None:
    clusters = of_kind(restate(), "RestateCluster")
    need("the RestateCluster, from which the operator creates policies", clusters, "mesh-platform renders it")
    wanted, found = set(listed(VARIANTS[variant][1] | {collector})), allowed_in(variant, manifests(variant), restate())
    here = {peer.name for peer in [*pods_of_the_mesh(manifests(variant)), *OTHERS]}
    wanted = {pair for pair in wanted if pair.source in here and pair.target in here}
    assert sorted(map(str, found - wanted)) == [], "allowed, but not in docs/operate/network.md"
    assert sorted(map(str, wanted - found)) == [], "in docs/operate/network.md, but not allowed"


@pytest.mark.parametrize("variant", VARIANTS)
def test_policies_of_each_side_alone_enforce_the_table(variant: str) -> None:
    """The mesh's policies alone enforce the table, even if those of other namespaces are missing or wrong."""
    mesh, wanted = pods_of_the_mesh(manifests(variant)), set(listed(VARIANTS[variant][1]))
    alone = network(manifests(variant), [])
    for own in mesh:
        others = [peer for peer in [*mesh, *OTHERS] if peer is not own]
        sends = {Pair(own.name, it.name, port) for it in others for port in ports() if alone.may_send(own, it, port)}
        receives = {
            Pair(it.name, own.name, port) for it in others for port in ports() if alone.may_receive(own, it, port)
        }
        names = {peer.name for peer in others}
        assert sends == {pair for pair in wanted if pair.source == own.name and pair.target in names}
        assert receives == {pair for pair in wanted if pair.target == own.name and pair.source in names}


def test_every_name_in_the_table_is_a_known_peer() -> None:
    known = {peer.name for variant in VARIANTS for peer in [*pods_of_the_mesh(manifests(variant)), *OTHERS]}
    assert {name for row in table() for cell in row[:2] for name in split(cell)} <= known
    known_words = {when for _, conditions in VARIANTS.values() for when in conditions}
    assert {row[3] for row in table()} <= known_words | {OURS, ANOTHER}


def policies() -> list[str]:
    return [policy["metadata"]["name"] for policy in of_kind(manifests("demo model"), "NetworkPolicy")]


def test_every_policy_has_an_effect() -> None:
    """A loop instead of parameters: their names need helm, and this file must be collectable without helm."""
    for name in policies():
        assert has_effect(name), f"the NetworkPolicy {name} has no effect"


def has_effect(name: str) -> bool:
    whole = manifests("demo model")
    if name == "removal-check":
        return removal_check_is_closed(whole)
    left = [each for each in whole if named(each) != f"NetworkPolicy/{name}"]
    if name != "deny-by-default":
        return allowed_in("demo model", left, as_documented()) != allowed_in("demo model", whole, as_documented())
    # It covers pods that no other policy selects, such as one that is created by hand.
    unknown = Peer("by hand", "10.244.2.99", "mesh", dict(of_the_release()))
    with_it, without = network(whole, as_documented()), network(left, as_documented())
    into = (other_in_mesh(), unknown, Port("TCP", 443))
    assert not any(with_it.allows(unknown, other, Port("TCP", 443)) for other in OTHERS)
    return without.allows(*into) and not with_it.allows(*into)


def removal_check_is_closed(mesh: list[Manifest]) -> bool:
    """Return whether the pod of the removal check may only connect to the API server's ports."""
    [template] = [pod for pod in pod_templates(mesh) if pod.owner == REMOVAL_CHECK]
    check = Peer("removal-check", "10.244.2.98", "mesh", template.metadata["labels"])
    api_server = Peer("API server", "10.96.0.1")
    net = network(mesh, as_documented())
    open_ports = {
        port for port in (443, 6443, 80, 8080, 9070, 9080) if net.allows(check, api_server, Port("TCP", port))
    }
    reached = [other.name for other in OTHERS if net.may_receive(check, other, Port("TCP", 8000))]
    return open_ports == {443, 6443} and not reached


def of_the_release() -> dict[str, str]:
    return {"app.kubernetes.io/instance": "mesh", "app.kubernetes.io/part-of": "agent-mesh"}


def other_in_mesh() -> Peer:
    return next(peer for peer in OTHERS if peer.name == "stranger in the same namespace")


def changed(settings: Settings) -> tuple[Network, dict[str, Peer]]:
    mesh = render("agent-mesh", set=settings)
    return network(mesh, as_documented()), {peer.name: peer for peer in [*pods_of_the_mesh(mesh), *OTHERS]}


def test_new_agent_gets_the_same_network_access_as_others() -> None:
    net, peers = changed({"services.newagent": {}})
    assert net.allows(peers["newagent"], peers["demo-model"], Port("TCP", 9099))
    assert net.allows(peers["Restate"], peers["newagent"], Port("TCP", 9080))
    assert net.allows(peers["newagent"], peers["collector"], Port("TCP", 4318))
    assert not net.allows(peers["newagent"], peers["Restate"], Port("TCP", 9070))
    assert not net.allows(peers["bank"], peers["newagent"], Port("TCP", 9080))
    assert not net.allows(peers["stranger in the same namespace"], peers["newagent"], Port("TCP", 9080))


def test_ui_from_opens_jaegers_ui() -> None:
    ingress = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    peers = {peer.name: peer for peer in OTHERS}
    for settings, opened in (({}, False), ({"networkPolicy.uiFrom": ingress}, True)):
        net = network([], render("mesh-platform", set=settings, dependencies=False))
        assert net.allows(peers["ingress controller"], peers["Jaeger"], Port("TCP", 16686)) is opened
        assert not net.allows(peers["stranger elsewhere"], peers["Jaeger"], Port("TCP", 16686))


def test_extra_egress_applies_only_to_its_service() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 5432}]}
    net, peers = changed({"services.tools.extraEgress": [rule]})
    assert net.allows(peers["tools"], peers["private address"], Port("TCP", 5432))
    assert not net.allows(peers["bank"], peers["private address"], Port("TCP", 5432))


def test_service_cidrs_are_allowed_on_the_needed_ports() -> None:
    net, peers = changed({"networkPolicy.serviceCidrs": ["10.96.0.0/12"]})
    service = Peer("a Service", "10.96.0.7")
    for name, port in {"bank": 9099, "gateway": 8080, "triage": 9070, "tools": 4318, "test": 8000}.items():
        assert net.allows(peers[name], service, Port("TCP", port)), name
    assert net.allows(peers["test"], service, Port("TCP", 80)), "`helm test` connects to the gateway's Service"
    assert not net.allows(peers["bank"], service, Port("TCP", 80))
    assert net.allows(peers["bank"], service, Port("UDP", 53))
    assert not net.allows(peers["bank"], service, Port("TCP", 9070))


def test_dns_peers_and_ports_are_configurable() -> None:
    dns = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]
    net, peers = changed({"networkPolicy.dns": dns, "networkPolicy.dnsPorts": [5353]})
    assert net.allows(peers["bank"], peers["stranger elsewhere"], Port("UDP", 5353))
    assert not net.allows(peers["bank"], peers["DNS"], Port("UDP", 53))


@pytest.mark.parametrize(
    ("base_url", "port"),
    [("https://m.example.org/v1", 443), ("https://m.example.org:8443/v1", 8443), ("http://m.example.org/v1", 80)],
)
def test_model_egress_uses_the_port_of_the_models_url(base_url: str, port: int) -> None:
    net, peers = changed({"model.existingSecret": "k", "model.baseUrl": base_url})
    open_ports = [
        each for each in (443, 8443, 80) if net.allows(peers["bank"], peers["public address"], Port("TCP", each))
    ]
    assert open_ports == [port]


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://r.example.org", 443), ("http://r.example.org:18080", 18080), ("http://r.example.org", 80)],
)
def test_restate_egress_uses_the_ports_of_a_managed_restates_urls(url: str, port: int) -> None:
    net, peers = changed(
        {
            "restate.register": {"cluster": None, "url": "https://admin.example.org"},
            "restate.ingressUrl": url,
            "restate.adminUrl": url,
            "networkPolicy.restate": [{"ipBlock": {"cidr": "104.18.0.0/16"}}],
        }
    )
    for name in ("gateway", "triage"):
        tried = (443, 18080, 80, 8080, 9070)
        open_ports = [each for each in tried if net.allows(peers[name], peers["public address"], Port("TCP", each))]
        assert open_ports == [port], name


def test_everything_is_allowed_if_policies_are_disabled() -> None:
    net, peers = changed({"networkPolicy.enabled": False})
    assert net.allows(peers["stranger elsewhere"], peers["tools"], Port("TCP", 9080))


POLICY: Manifest = {
    "kind": "NetworkPolicy",
    "metadata": {"name": "a", "namespace": "mesh"},
    "spec": {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress"], "ingress": []},
}
A = Peer("a", "10.0.0.1", "mesh", {"app": "a"})
B = Peer("b", "10.0.0.2", "mesh", {"app": "b", "tier": "x"})
C = Peer("c", "10.0.0.3", "shop", {"app": "b"})


def peer_rules() -> dict[str, tuple[dict[str, Any], tuple[bool, bool]]]:
    """Return rules for ingress to A at TCP/80, and whether they admit B (same namespace) and C (another one)."""
    return {
        "no rule": ({"ports": [{"port": 81}]}, (False, False)),
        "all peers": ({}, (True, True)),
        "an empty list admits all peers": ({"from": []}, (True, True)),
        "pods here": ({"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}, (True, False)),
        "any pod here": ({"from": [{"podSelector": {}}]}, (True, False)),
        "any pod anywhere": ({"from": [{"namespaceSelector": {}}]}, (True, True)),
        "both selectors": (
            {
                "from": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                        "podSelector": {"matchLabels": {"app": "b"}},
                    }
                ]
            },
            (False, True),
        ),
        "in": ({"from": [{"namespaceSelector": {}, "podSelector": {"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["b"]}, {"key": "tier", "operator": "Exists"}]}}]},
            (True, False)),
        "not in": ({"from": [{"podSelector": {"matchExpressions": [
            {"key": "app", "operator": "NotIn", "values": ["b"]}]}}]}, (False, False)),
        "does not exist": ({"from": [{"namespaceSelector": {}, "podSelector": {"matchExpressions": [
            {"key": "tier", "operator": "DoesNotExist"}]}}]}, (False, True)),
        "an address": ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.3/32"]}}]}, (True, False)),
        "a range of ports": ({"ports": [{"port": 79, "endPort": 81}]}, (True, True)),
        "another protocol": ({"ports": [{"protocol": "UDP", "port": 80}]}, (False, False)),
    }  # fmt: skip


@pytest.mark.parametrize("rule", peer_rules())
def test_rule_is_evaluated_as_in_kubernetes(rule: str) -> None:
    given, verdicts = peer_rules()[rule]
    policy = copy.deepcopy(POLICY)
    policy["spec"]["ingress"] = [given]
    net = Network([policy], {name: {"kubernetes.io/metadata.name": name} for name in NAMESPACES})
    assert tuple(net.allows(each, A, Port("TCP", 80)) for each in (B, C)) == verdicts
    assert net.allows(A, B, Port("TCP", 80)), "no policy selects B, and none restricts A's egress"
