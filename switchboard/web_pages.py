"""Which requests of a browser a server on this machine accepts: those of its own pages.

Every web page can make the browser send requests to servers on this machine. Browsers say from which page a request
comes (`Origin`, `Sec-Fetch-Site`) and which address the page used (`Host`). If an attacker points the name of their
page to 127.0.0.1 (DNS rebinding), the browser takes the server for the same origin, and only `Host` shows it. Other
clients, such as curl, send neither `Origin` nor `Sec-Fetch-Site`.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

OWN_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site for a request of the same page, and of the person who typed the address."""

COMPARED = ("host", "origin", "sec-fetch-site")


@dataclass(frozen=True)
class OwnPages:
    """The pages that may send requests to a port of this machine: those of the port itself, and those of `ui_port`.

    `names` are host names of this machine besides those of the loopback interface, in lower case. Host may have any
    port: a page cannot choose the Host of its requests, and a forwarded port has another number.
    """

    names: frozenset[str] = frozenset()
    ui_port: int | None = None

    def refusal(self, headers: Iterable[tuple[str, str]]) -> str | None:
        """Return why a request with these headers is refused, as a sentence for a person, or None."""
        values: dict[str, list[str]] = {name: [] for name in COMPARED}
        for name, value in headers:
            if name.lower() in values:
                values[name.lower()].append(value.strip().lower())
        if any(len(given) > 1 for given in values.values()):
            return f"Refused: one of the headers {', '.join(COMPARED)} is there twice."
        host, origin, site = (next(iter(values[name]), None) for name in COMPARED)
        if host is None or not self._is_ours(host):
            return (
                "Refused: the header Host is not localhost, 127.0.0.1 or [::1]. "
                "To use this server under another name, add the name to SWITCHBOARD_LOCAL_HOSTS."
            )
        if origin is not None and origin in self._ui_origins:
            return None
        if origin not in (None, f"http://{host}", f"https://{host}") or site not in (None, *OWN_SITES):
            return "Refused: a page of another site sent this request. To open this address, type it into the browser."
        return None

    def _is_ours(self, host: str) -> bool:
        name, separator, port = host.rpartition(":")
        return (name if separator and port.isdecimal() else host) in self.names.union(LOOPBACK_NAMES)

    @property
    def _ui_origins(self) -> set[str]:
        return {f"http://{name}:{self.ui_port}" for name in LOOPBACK_NAMES if self.ui_port is not None}


def is_loopback(host: str) -> bool:
    """Return whether a server that listens on this address is reached only from its own machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
