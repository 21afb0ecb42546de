"""Who may talk to whom, as docs/operate/network.md says: each pair and port, against the rendered policies."""

import copy
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.charts.cluster import NAMESPACES, OTHERS, network, pods_of_the_mesh
from tests.charts.netpol import Network, Peer, Port
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
VARIANTS: dict[str, tuple[Settings, frozenset[str]]] = {
    "demo model": ({}, frozenset({"always", "demo model"})),
    "real model": ({"model.existingSecret": "model-key-1"}, frozenset({"always", "real model"})),
    "JWKS": (JWKS, frozenset({"always", "demo model", "JWKS"})),
}
"""Values, and the words in the table's column `when` that hold for them."""

OURS, ANOTHER = "mesh-platform", "another collector"
"""Words in that column, too: whose collector and Jaeger there are."""

ANY = "any"
ODD_PORTS = (
    Port("TCP", 22),
    Port("TCP", 80),
    Port("TCP", 5432),
    Port("UDP", 443),
    Port("TCP", 16686),
    Port("TCP", 4317),
)
"""Ports that nobody should reach anybody at, beside those in the table."""


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
    """The rows of the first table: from, to, port, when, why."""
    lines = TABLE.read_text().split("| from |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def port_of(text: str) -> Port:
    protocol, number = text.split("/")
    return Port(protocol, int(number))


@cache
def ports() -> tuple[Port, ...]:
    named_ports = {port_of(each) for row in table() for each in split(row[2]) if each != ANY}
    return (*sorted(named_ports), *ODD_PORTS)


def listed(conditions: frozenset[str]) -> Iterator[Pair]:
    """All pairs of the table that go together with these conditions."""
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
    """A platform of nothing but the RestateCluster that the page shows."""
    text = re.search(r"```yaml\n(# of the RestateCluster\n.*?)```", TABLE.read_text(), re.S)
    assert text is not None
    return [{"kind": "RestateCluster", "metadata": {"name": "restate"}, **yaml.safe_load(text[1])}]


def allowed(net: Network, mesh: list[Peer]) -> set[Pair]:
    """Every pair of two different peers, one of them at least ours or the platform's, that the policies let talk."""
    ours = {*(peer.name for peer in mesh), "Restate"}
    if any(policy["metadata"]["namespace"] == "mesh-platform" for policy in net.policies):
        ours |= {"collector", "Jaeger"}
    everybody = [*mesh, *OTHERS]
    return {
        Pair(source.name, target.name, port)
        for source in everybody
        for target in everybody
        if source is not target and {source.name, target.name} & ours
        for port in ports()
        if net.allows(source, target, port)
    }


def judged(variant: str, given: list[Manifest], restate: list[Manifest]) -> set[Pair]:
    return allowed(network(given, restate), pods_of_the_mesh(manifests(variant)))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("restate", "whose"), [(platform, OURS), (as_documented, ANOTHER)], ids=[OURS, "as documented"]
)
def test_exactly_the_listed_pairs_may_talk(variant: str, restate: Callable[[], list[Manifest]], whose: str) -> None:
    clusters = of_kind(restate(), "RestateCluster")
    need("the RestateCluster, of which the operator makes policies", clusters, "mesh-platform renders it")
    wanted, found = set(listed(VARIANTS[variant][1] | {whose})), judged(variant, manifests(variant), restate())
    here = {peer.name for peer in [*pods_of_the_mesh(manifests(variant)), *OTHERS]}
    wanted = {pair for pair in wanted if pair.source in here and pair.target in here}
    assert sorted(map(str, found - wanted)) == [], "allowed, and not in docs/operate/network.md"
    assert sorted(map(str, wanted - found)) == [], "in docs/operate/network.md, and not allowed"


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_side_alone_keeps_the_table(variant: str) -> None:
    """Somebody else's policies, Restate's among them, may be missing or wrong: ours do not count on them."""
    mesh, wanted = pods_of_the_mesh(manifests(variant)), set(listed(VARIANTS[variant][1]))
    alone = network(manifests(variant), [])
    for own in mesh:
        others = [peer for peer in [*mesh, *OTHERS] if peer is not own]
        sent = {Pair(own.name, it.name, port) for it in others for port in ports() if alone.may_send(own, it, port)}
        taken = {Pair(it.name, own.name, port) for it in others for port in ports() if alone.takes(own, it, port)}
        names = {peer.name for peer in others}
        assert sent == {pair for pair in wanted if pair.source == own.name and pair.target in names}
        assert taken == {pair for pair in wanted if pair.target == own.name and pair.source in names}


def test_every_name_in_the_table_is_somebody() -> None:
    known = {peer.name for variant in VARIANTS for peer in [*pods_of_the_mesh(manifests(variant)), *OTHERS]}
    assert {name for row in table() for cell in row[:2] for name in split(cell)} <= known
    known_words = {when for _, conditions in VARIANTS.values() for when in conditions}
    assert {row[3] for row in table()} <= known_words | {OURS, ANOTHER}


def policies() -> list[str]:
    return [policy["metadata"]["name"] for policy in of_kind(manifests("demo model"), "NetworkPolicy")]


def test_every_policy_changes_what_may_talk() -> None:
    """A loop and not parameters: their names need helm, and a machine without it must still collect this file."""
    for name in policies():
        assert changes_something(name), f"without the NetworkPolicy {name} nothing changes"


def changes_something(name: str) -> bool:
    whole = manifests("demo model")
    left = [each for each in whole if named(each) != f"NetworkPolicy/{name}"]
    if name != "deny-by-default":
        return judged("demo model", left, as_documented()) != judged("demo model", whole, as_documented())
    # It is for pods that no other policy selects, such as one that is added by hand.
    unknown = Peer("by hand", "10.244.2.99", "mesh", dict(of_the_release()))
    with_it, without = network(whole, as_documented()), network(left, as_documented())
    into = (other_in_mesh(), unknown, Port("TCP", 443))
    assert not any(with_it.allows(unknown, other, Port("TCP", 443)) for other in OTHERS)
    return without.allows(*into) and not with_it.allows(*into)


def of_the_release() -> dict[str, str]:
    return {"app.kubernetes.io/instance": "mesh", "app.kubernetes.io/part-of": "agent-mesh"}


def other_in_mesh() -> Peer:
    return next(peer for peer in OTHERS if peer.name == "stranger in the same namespace")


def changed(settings: Settings) -> tuple[Network, dict[str, Peer]]:
    mesh = render("agent-mesh", set=settings)
    return network(mesh, as_documented()), {peer.name: peer for peer in [*pods_of_the_mesh(mesh), *OTHERS]}


def test_a_new_agent_has_the_network_of_the_others() -> None:
    net, who = changed({"services.newagent": {}})
    assert net.allows(who["newagent"], who["demo-model"], Port("TCP", 9099))
    assert net.allows(who["Restate"], who["newagent"], Port("TCP", 9080))
    assert net.allows(who["newagent"], who["collector"], Port("TCP", 4318))
    assert not net.allows(who["newagent"], who["Restate"], Port("TCP", 9070))
    assert not net.allows(who["bank"], who["newagent"], Port("TCP", 9080))
    assert not net.allows(who["stranger in the same namespace"], who["newagent"], Port("TCP", 9080))


def test_who_may_open_jaeger_is_a_value() -> None:
    ingress = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    who = {peer.name: peer for peer in OTHERS}
    for settings, opened in (({}, False), ({"networkPolicy.uiFrom": ingress}, True)):
        net = network([], render("mesh-platform", set=settings, dependencies=False))
        assert net.allows(who["ingress controller"], who["Jaeger"], Port("TCP", 16686)) is opened
        assert not net.allows(who["stranger elsewhere"], who["Jaeger"], Port("TCP", 16686))


def test_what_a_service_stands_on_is_opened_to_it_alone() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 5432}]}
    net, who = changed({"services.tools.extraEgress": [rule]})
    assert net.allows(who["tools"], who["private address"], Port("TCP", 5432))
    assert not net.allows(who["bank"], who["private address"], Port("TCP", 5432))


def test_a_cni_that_judges_before_dnat_lets_services_addresses_pass_on_their_ports() -> None:
    net, who = changed({"networkPolicy.serviceCidrs": ["10.96.0.0/12"]})
    service = Peer("a Service", "10.96.0.7")
    for name, port in {"bank": 9099, "gateway": 8080, "triage": 9070, "tools": 4318, "test": 8000}.items():
        assert net.allows(who[name], service, Port("TCP", port)), name
    assert net.allows(who["test"], service, Port("TCP", 80)), "`helm test` asks the gateway's Service"
    assert not net.allows(who["bank"], service, Port("TCP", 80))
    assert net.allows(who["bank"], service, Port("UDP", 53))
    assert not net.allows(who["bank"], service, Port("TCP", 9070))


def test_dns_elsewhere_is_a_value() -> None:
    dns = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]
    net, who = changed({"networkPolicy.dns": dns, "networkPolicy.dnsPorts": [5353]})
    assert net.allows(who["bank"], who["stranger elsewhere"], Port("UDP", 5353))
    assert not net.allows(who["bank"], who["DNS"], Port("UDP", 53))


@pytest.mark.parametrize(
    ("base_url", "port"),
    [("https://m.example.org/v1", 443), ("https://m.example.org:8443/v1", 8443), ("http://m.example.org/v1", 80)],
)
def test_a_models_port_is_that_of_its_address(base_url: str, port: int) -> None:
    net, who = changed({"model.existingSecret": "k", "model.baseUrl": base_url})
    open_ports = [each for each in (443, 8443, 80) if net.allows(who["bank"], who["public address"], Port("TCP", each))]
    assert open_ports == [port]


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://r.example.org", 443), ("http://r.example.org:18080", 18080), ("http://r.example.org", 80)],
)
def test_a_managed_restates_ports_are_those_of_its_addresses(url: str, port: int) -> None:
    net, who = changed(
        {
            "restate.register": {"cluster": None, "url": "https://admin.example.org"},
            "restate.ingressUrl": url,
            "restate.adminUrl": url,
            "networkPolicy.restate": [{"ipBlock": {"cidr": "104.18.0.0/16"}}],
        }
    )
    for name in ("gateway", "triage"):
        tried = (443, 18080, 80, 8080, 9070)
        open_ports = [each for each in tried if net.allows(who[name], who["public address"], Port("TCP", each))]
        assert open_ports == [port], name


def test_without_policies_a_cluster_lets_everything_pass() -> None:
    net, who = changed({"networkPolicy.enabled": False})
    assert net.allows(who["stranger elsewhere"], who["tools"], Port("TCP", 9080))


POLICY: Manifest = {
    "kind": "NetworkPolicy",
    "metadata": {"name": "a", "namespace": "mesh"},
    "spec": {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress"], "ingress": []},
}
A = Peer("a", "10.0.0.1", "mesh", {"app": "a"})
B = Peer("b", "10.0.0.2", "mesh", {"app": "b", "tier": "x"})
C = Peer("c", "10.0.0.3", "shop", {"app": "b"})


def peer_rules() -> dict[str, tuple[dict[str, Any], tuple[bool, bool]]]:
    """Rules for who may reach A at TCP/80, and whether B in its namespace and C in another may."""
    return {
        "no rule": ({"ports": [{"port": 81}]}, (False, False)),
        "everybody": ({}, (True, True)),
        "an empty list is everybody": ({"from": []}, (True, True)),
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
def test_the_judge_reads_a_rule_as_kubernetes_does(rule: str) -> None:
    given, verdicts = peer_rules()[rule]
    policy = copy.deepcopy(POLICY)
    policy["spec"]["ingress"] = [given]
    net = Network([policy], {name: {"kubernetes.io/metadata.name": name} for name in NAMESPACES})
    assert tuple(net.allows(each, A, Port("TCP", 80)) for each in (B, C)) == verdicts
    assert net.allows(A, B, Port("TCP", 80)), "no policy selects B, and none says anything of what A sends"
