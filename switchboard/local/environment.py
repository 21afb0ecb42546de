"""Which variables of the shell each process of a local mesh inherits: what it needs, and no other process's secrets."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from switchboard.models.providers import PROVIDERS

MACHINE = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*"),
    *("PYTHON*", "VIRTUAL_ENV", "LD_*", "DYLD_*", "COVERAGE*", "NO_COLOR"),
    *("SSL_CERT_*", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""What every program needs to run on this machine."""

TELEMETRY = ("OTEL_*", "TELEMETRY_*", "LOG_*")

GATEWAY = (*MACHINE, *TELEMETRY, "GATEWAY_*", "SWITCHBOARD_EVENTS_BROKER_URL")
PROXY = (*MACHINE, "SWITCHBOARD_LOCAL_HOSTS")
RESTATE = (*MACHINE, *TELEMETRY, "RESTATE_*", "RUST_*")
DEMO_MODEL = (*MACHINE, *TELEMETRY, "DEMO_MODEL_*")
COLLECTOR = (*MACHINE, *TELEMETRY, "JAEGER_*", "TRACES_*")

MODELS = (*(f"{provider.prefix}_*" for provider in PROVIDERS.values()), "SWITCHBOARD_MODEL*", "SWITCHBOARD_FALLBACK_*")
"""The variables of models, with their API keys."""

OTHERS_SECRETS = ("GATEWAY_*", "SWITCHBOARD_STAFF_TOKEN")
"""What no service of the mesh needs. Other variables of the shell may be settings of the mesh's own services."""


def only(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with one of these names; `*` stands for any end."""
    return {name: value for name, value in environment.items() if matches(name, names)}


def for_service(environment: Mapping[str, str], uses_model: bool) -> dict[str, str]:
    """Return the variables for a service of the mesh."""
    withheld = OTHERS_SECRETS if uses_model else (*OTHERS_SECRETS, *MODELS)
    return {name: value for name, value in environment.items() if not matches(name, withheld)}


def matches(name: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in names)
