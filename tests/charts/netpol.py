"""Evaluate NetworkPolicies like a network plugin: may one pod or address connect to another?"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.charts.rendering import Manifest

Selector = Mapping[str, Any]


class Port(NamedTuple):
    protocol: str
    number: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"


@dataclass(frozen=True)
class Peer:
    """A pod, or without a namespace an address outside the cluster. Policies see a pod's labels and its address."""

    name: str
    address: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """The policies of all namespaces, and the labels of each namespace."""

    policies: Sequence[Manifest]
    namespaces: Mapping[str, Mapping[str, str]]

    def allows(self, source: Peer, target: Peer, port: Port) -> bool:
        """Return whether the policies of both sides allow the connection."""
        return self.may_send(source, target, port) and self.may_receive(target, source, port)

    def may_send(self, source: Peer, target: Peer, port: Port) -> bool:
        """Return whether the source's egress policies allow the connection."""
        return self._side("Egress", source, target, port)

    def may_receive(self, target: Peer, source: Peer, port: Port) -> bool:
        """Return whether the target's ingress policies allow the connection."""
        return self._side("Ingress", target, source, port)

    def _side(self, direction: str, own: Peer, other: Peer, port: Port) -> bool:
        """If policies of this direction select the pod, one of their rules must match. Otherwise all is allowed."""
        selecting = [policy for policy in self.policies if self._selects(policy, direction, own)]
        if not selecting:
            return True
        key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        rules = [(policy, rule) for policy in selecting for rule in policy["spec"].get(key) or []]
        return any(
            _port_fits(rule, port) and self._peer_fits(rule.get(peers), policy["metadata"]["namespace"], other)
            for policy, rule in rules
        )

    def _selects(self, policy: Manifest, direction: str, pod: Peer) -> bool:
        spec = policy["spec"]
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        same = policy["metadata"]["namespace"] == pod.namespace
        return direction in types and same and matches(spec.get("podSelector") or {}, pod.labels)

    def _peer_fits(self, peers: Sequence[Mapping[str, Any]] | None, namespace: str, other: Peer) -> bool:
        if not peers:
            return True
        return any(self._is(peer, namespace, other) for peer in peers)

    def _is(self, peer: Mapping[str, Any], namespace: str, other: Peer) -> bool:
        if "ipBlock" in peer:
            return _in_block(peer["ipBlock"], other.address)
        if other.namespace is None:
            return False
        if "namespaceSelector" in peer:
            here = matches(peer["namespaceSelector"] or {}, self.namespaces[other.namespace])
        else:
            here = other.namespace == namespace
        return here and matches(peer.get("podSelector") or {}, other.labels)


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Match like a LabelSelector: all conditions must hold, and an empty selector matches everything."""
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case unknown:
            raise ValueError(f"{unknown} is not an operator of a label selector")


def _in_block(block: Mapping[str, Any], address: str) -> bool:
    ip = ipaddress.ip_address(address)
    excepted = any(ip in ipaddress.ip_network(each) for each in block.get("except") or [])
    return ip in ipaddress.ip_network(block["cidr"]) and not excepted


def _port_fits(rule: Mapping[str, Any], port: Port) -> bool:
    ports = rule.get("ports")
    return not ports or any(_covers(each, port) for each in ports)


def _covers(entry: Mapping[str, Any], port: Port) -> bool:
    if entry.get("protocol", "TCP") != port.protocol:
        return False
    if "port" not in entry:
        return True
    first = entry["port"]
    assert isinstance(first, int), "use port numbers: not every network plugin supports port names"
    return first <= port.number <= int(entry.get("endPort", first))
