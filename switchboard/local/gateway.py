"""The gateway of a local mesh: its process, and the secret that signs its tokens."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from switchboard.local.environment import GATEWAY, only
from switchboard.local.keys import stored_key
from switchboard.local.problem import InvalidCommand, Problem
from switchboard.local.process import Process, free_ports

if TYPE_CHECKING:
    from switchboard.gateway.settings import TokenSettings

SECRET_FILE = "gateway-secret"
GATEWAY_STOP_TIMEOUT = timedelta(seconds=30)
"""Longer than the default of GATEWAY_STOP_GRACE with the time for the last responses and spans: a gateway that is
killed earlier does not answer its waiting clients."""

HOURS_MAX = 24 * 30


@dataclass(frozen=True)
class GatewayPorts:
    """Loopback ports of the gateway: HTTP for customers, metrics for Prometheus, and live events.

    Only the mesh's own processes use the last one, so any free port will do.
    """

    http: int = 8000
    metrics: int = 9464
    events: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def events_url(self) -> str:
        return f"http://127.0.0.1:{self.events}"


def token_environment(secret: str) -> dict[str, str]:
    """Return settings that make a gateway accept only tokens signed with this secret, whatever the shell sets."""
    return {
        "GATEWAY_JWT_SECRET": secret,
        "GATEWAY_JWKS_URL": "",
        "GATEWAY_JWT_ISSUER": "",
        "GATEWAY_JWT_AUDIENCE": "",
        "GATEWAY_CUSTOMER_CLAIM": "sub",
        "GATEWAY_SIGNED_IN_ACR": "",
        "GATEWAY_STAFF_CLAIM": "roles",
        "GATEWAY_STAFF_ROLE": "staff",
    }


def console_environment(
    customers: Sequence[str] = (), restate_ui_url: str = "", jaeger_url: str = ""
) -> dict[str, str]:
    """Return settings of the console, whatever the shell sets. With `customers`, it signs in anyone on this machine."""
    return {
        "GATEWAY_CONSOLE": "true",
        "GATEWAY_CONSOLE_TOKEN_PATH": "",
        "GATEWAY_LOCAL_SIGN_IN": ",".join(customers),
        "GATEWAY_RESTATE_UI_URL": restate_ui_url,
        "GATEWAY_JAEGER_URL": jaeger_url,
    }


def gateway_process(
    ports: GatewayPorts, ingress_url: str, secret: str, log: Path, environment: Mapping[str, str]
) -> Process:
    """Return the gateway's process, not yet started."""
    return Process(
        name="gateway",
        command=[sys.executable, "-m", "switchboard.gateway"],
        environment={
            "HOST": "127.0.0.1",
            "PORT": str(ports.http),
            "METRICS_PORT": str(ports.metrics),
            "EVENTS_PORT": str(ports.events),
            "RESTATE_INGRESS_URL": ingress_url,
            **token_environment(secret),
            **console_environment(),
            **environment,
        },
        port=ports.http,
        health=f"{ports.url}/health",
        log=log,
        stop_timeout=GATEWAY_STOP_TIMEOUT,
        inherited=only(GATEWAY, os.environ),
    )


def secret_of(folder: Path) -> str:
    """Return the secret of the mesh in this folder. The first call creates it, readable only by its owner."""
    return stored_key(folder / SECRET_FILE)


def local_token(folder: Path, customer_id: str, hours: int, signed_in: bool) -> str:
    """Return a token for the gateway of the mesh in this folder. Raises Problem if the folder holds no mesh."""
    # Imported here, because only these commands need them.
    from switchboard.gateway.token import mint  # noqa: PLC0415

    return mint(local_settings(folder), customer_id, lifetime(hours), datetime.now(UTC), signed_in)


def local_staff_token(folder: Path, subject: str, hours: int = 1) -> str:
    """Return a staff member's token for the gateway of the mesh in this folder. Raises Problem as `local_token`."""
    from switchboard.gateway.token import mint_staff  # noqa: PLC0415

    return mint_staff(local_settings(folder), subject, lifetime(hours), datetime.now(UTC))


def lifetime(hours: int) -> timedelta:
    if not 1 <= hours <= HOURS_MAX:
        raise InvalidCommand(f"--hours must be between 1 and {HOURS_MAX}.")
    return timedelta(hours=hours)


def local_settings(folder: Path) -> "TokenSettings":
    """Return the settings of the gateway of the mesh in this folder. Raises Problem if the folder holds no mesh."""
    from switchboard.gateway.settings import TokenSettings  # noqa: PLC0415

    if not (folder / SECRET_FILE).exists():
        raise Problem(
            f"No mesh has been started in {folder}. Run `switchboard up`, or give the mesh's folder with --folder."
        )
    return TokenSettings.model_validate(token_environment(secret_of(folder)))
