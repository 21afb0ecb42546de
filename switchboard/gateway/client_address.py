"""The address that a request comes from: the connection's, or the one that a known proxy has noted."""

from collections.abc import MutableMapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

FORWARDED_FOR = b"x-forwarded-for"

IPV6_PREFIX = 64
"""One customer usually has a whole network of this size, so its addresses count as one."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks in a comma-separated list of addresses and CIDR blocks. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def address_of(text: str) -> Address | None:
    """Return an address, an IPv4 address also if it is mapped to IPv6; None if the text is not an address."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def holder_of(address: Address) -> str:
    """Return the name under which an address's connections and requests are counted."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def forwarded_holder(scope: MutableMapping[str, Any], proxies: Sequence[Network]) -> str | None:
    """Return the holder of a request that a known proxy forwards; None for a request without one.

    Each proxy appends the address that it has seen, so the last one that is not a known proxy's is the client's.
    Everything to its left comes from the client.
    """
    peer = address_of((scope.get("client") or ("",))[0])
    if peer is None or not is_in(peer, proxies):
        return None
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED_FOR]
    for part in reversed(",".join(values).split(",")):
        address = address_of(part)
        if address is None:
            return "unknown"
        if not is_in(address, proxies):
            return holder_of(address)
    return holder_of(peer)
