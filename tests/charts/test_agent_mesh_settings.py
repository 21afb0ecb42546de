"""The environment, ports and paths of each container in agent-mesh match the program in it."""

import json
import os
import re
import socket
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from pydantic import TypeAdapter
from pydantic_settings import BaseSettings

from services.project import reference
from services.tools.airline.settings import AirlineSettings
from services.tools.bank.settings import BankSettings
from switchboard.demo_model.settings import Settings as DemoModelSettings
from switchboard.gateway.settings import GatewaySettings, TokenSettings
from switchboard.gateway.settings import ListenSettings as GatewayListenSettings
from switchboard.local.process import Process, free_ports
from switchboard.models.providers import PROVIDERS
from switchboard.models.settings import ProviderSettings
from switchboard.runtime.serve import SHUTDOWN_GRACE
from switchboard.runtime.settings import (
    BrokerSettings,
    EventsKeySettings,
    LiveSettings,
    ModelSettings,
    ServerSettings,
    SpeakerSettings,
)
from switchboard.session.settings import SessionSettings
from switchboard.telemetry.setup import EXPORT_TIMEOUT
from switchboard.toolkit.settings import PolicySettings, ToolsSettings
from tests.charts.pods import pod_templates
from tests.charts.rendering import HELM_DIR, Manifest, Settings, one, refused, render, values

CHART = "agent-mesh"

LIVE = (EventsKeySettings, LiveSettings, BrokerSettings)
READ_BY: dict[str, tuple[type[BaseSettings], ...]] = {
    "triage": (ServerSettings, ModelSettings, SessionSettings, SpeakerSettings, *LIVE),
    "bank": (ServerSettings, ModelSettings, *LIVE),
    "airline": (ServerSettings, ModelSettings, *LIVE),
    "tools": (ServerSettings, SpeakerSettings, ToolsSettings, PolicySettings, AirlineSettings, BankSettings),
    "demo-model": (DemoModelSettings,),
}

FROM_A_SECRET = "a-value-from-a-secret-that-is-long-enough"

SECRETS = {"SWITCHBOARD_EVENTS_BROKER_URL": "rediss://mesh:password@redis.example.org:6379"}

RENDERS: dict[str, tuple[tuple[str, ...], Settings]] = {
    "values.yaml": ((), {"restate.identityKey": "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"}),
    "local": (("values-local.yaml",), {}),
    "production": (("values-production.yaml",), {"model.baseUrl": "https://model.example.org/v1"}),
    "IPv6": ((), {"host": "::"}),
    "broker": (
        (),
        {
            "events.existingSecret": "events-keys-1",
            "events.broker.existingSecret": "redis-url-1",
            "networkPolicy.brokerEgress.to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}],
        },
    ),
}

GATEWAY_ENDS_WITHIN = timedelta(seconds=5)
"""Time to answer waiting clients and send the last spans, after the grace period for requests."""

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def container(manifests: list[Manifest], name: str) -> dict[str, Any]:
    """Return the only container of a workload or pod."""
    [pod] = [pod for pod in pod_templates(manifests) if pod.owner.split("/")[1] == name]
    [found] = pod.spec["containers"]
    return dict(found)


def environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    """Return the environment that the process sees, with placeholders for secrets. Each name may occur only once."""
    entries = container(manifests, name)["env"]
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry.get("value", SECRETS.get(entry["name"], FROM_A_SECRET)) for entry in entries}


def rendered(which: str) -> list[Manifest]:
    files, settings = RENDERS[which]
    return render(CHART, *files, set=settings)


def variables_of(kind: type[BaseSettings]) -> set[str]:
    """Return the environment variables of these settings."""
    own = {str(field.validation_alias or name).upper() for name, field in kind.model_fields.items()}
    if kind is not ModelSettings:
        return own
    return own | {
        f"{each.prefix}_{name.upper()}" for each in PROVIDERS.values() for name in ProviderSettings.model_fields
    }


@pytest.fixture
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Clear the environment, so that a test sees only the variables that it sets."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("which", RENDERS)
def test_every_service_reads_its_environment(which: str, empty_environment: pytest.MonkeyPatch) -> None:
    manifests = rendered(which)
    names = {pod.owner.split("/")[1] for pod in pod_templates(manifests)} - {"gateway", "test", "removal-check"}
    assert names <= READ_BY.keys()
    for name in names:
        given = environment(manifests, name)
        assert given.keys() <= set().union(*(variables_of(kind) for kind in READ_BY[name])), name
        with empty_environment.context() as patch:
            for variable, value in given.items():
                patch.setenv(variable, value)
            for kind in READ_BY[name]:
                kind()


@pytest.mark.parametrize("which", RENDERS)
def test_gateway_reads_its_environment(which: str, empty_environment: pytest.MonkeyPatch) -> None:
    kinds = (GatewaySettings, GatewayListenSettings, EventsKeySettings, BrokerSettings)
    given = environment(rendered(which), "gateway")
    assert given.keys() <= set().union(*(variables_of(kind) for kind in kinds))
    for variable, value in given.items():
        empty_environment.setenv(variable, value)
    for kind in kinds:
        kind()


def test_pod_of_helm_test_can_create_a_token(empty_environment: pytest.MonkeyPatch) -> None:
    given = environment(rendered("values.yaml"), "test")
    for variable, value in given.items():
        empty_environment.setenv(variable, value)
    assert TokenSettings().jwt_secret is not None
    own = environment(rendered("values.yaml"), "gateway")
    assert {key: value for key, value in own.items() if key.startswith("GATEWAY_JWT")}.items() <= given.items()


@pytest.mark.parametrize("which", RENDERS)
def test_process_listens_on_its_container_ports(which: str) -> None:
    manifests = rendered(which)
    for name in ("triage", "bank", "airline", "tools"):
        given, ports = environment(manifests, name), container(manifests, name)["ports"]
        assert ports[0] == {"name": "restate", "containerPort": int(given["PORT"])}
        assert given["HOST"] == RENDERS[which][1].get("host", "0.0.0.0")
    given, ports = environment(manifests, "gateway"), container(manifests, "gateway")["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == {
        "http": int(given["PORT"]),
        "metrics": int(given["METRICS_PORT"]),
        "events": int(given["EVENTS_PORT"]),
    }


def test_agents_call_the_configured_model() -> None:
    demo = environment(rendered("values.yaml"), "bank")
    assert (demo["OPENAI_BASE_URL"], demo["SWITCHBOARD_MODEL"]) == ("http://demo-model:9099/v1", "demo")
    real = environment(rendered("production"), "bank")
    assert real["OPENAI_BASE_URL"] == "https://model.example.org/v1"
    assert real["SWITCHBOARD_FALLBACK_MODELS"] == "gpt-5-nano"
    assert "SWITCHBOARD_MODEL" not in real, "the services' own default"


PROVIDERS_IN_VALUES: Settings = {
    "model.name": "anthropic:claude-sonnet-5-5",
    "model.fallbackModels": ["openai:gpt-5-mini", "vllm:qwen3-32b"],
    "model.options": {"anthropic:claude-sonnet-5-5": {"max_tokens": 4096}},
    "model.timeout": "PT90S",
    "model.existingSecret": "openai-1",
    "model.providers": {
        "anthropic": {"existingSecret": "anthropic-1"},
        "vllm": {"baseUrl": "http://vllm.models:8000/v1", "wireApi": "chat", "sends": "none"},
        "groq": {"existingSecret": "others", "existingSecretKey": "groq"},
    },
}


def test_values_name_any_providers_key_and_address(empty_environment: pytest.MonkeyPatch) -> None:
    manifests = render(CHART, set=PROVIDERS_IN_VALUES)
    entries = {each["name"]: each for each in container(manifests, "bank")["env"]}
    secrets = {name: each["valueFrom"]["secretKeyRef"] for name, each in entries.items() if "valueFrom" in each}
    assert secrets == {
        "OPENAI_API_KEY": {"name": "openai-1", "key": "OPENAI_API_KEY"},
        "ANTHROPIC_API_KEY": {"name": "anthropic-1", "key": "ANTHROPIC_API_KEY"},
        "GROQ_API_KEY": {"name": "others", "key": "groq"},
        "SWITCHBOARD_EVENTS_KEYS": {"name": "events-keys", "key": "SWITCHBOARD_EVENTS_KEYS", "optional": True},
    }
    for variable, value in environment(manifests, "bank").items():
        empty_environment.setenv(variable, value)
    settings = ModelSettings()
    chosen = [settings.choose(name) for name in settings.names()]
    assert [(each.provider.name, each.base_url, each.api) for each in chosen] == [
        ("anthropic", "https://api.anthropic.com", "messages"),
        ("openai", "https://api.openai.com/v1", "responses"),
        ("vllm", "http://vllm.models:8000/v1", "chat"),
    ]
    assert chosen[2].provider.sends == frozenset()
    assert settings.options == PROVIDERS_IN_VALUES["model.options"]
    assert settings.timeout == timedelta(seconds=90)


@pytest.mark.parametrize(("name", "provider"), [("openai", "openai"), ("anthropic", "anthropic")])
def test_one_key_alone_is_enough(name: str, provider: str, empty_environment: pytest.MonkeyPatch) -> None:
    manifests = render(CHART, set={f"model.providers.{name}": {"existingSecret": "a"}})
    assert "Deployment/demo-model" not in {pod.owner for pod in pod_templates(manifests)}
    for variable, value in environment(manifests, "bank").items():
        empty_environment.setenv(variable, value)
    settings = ModelSettings()
    assert settings.choose(settings.names()[0]).provider.name == provider


def test_chart_knows_every_provider_and_what_it_needs() -> None:
    text = (HELM_DIR / CHART / "templates" / "_model.tpl").read_text()
    [block] = re.findall(r'define "agent-mesh.providers" -}}\n(.*?)\{\{- end', text, re.S)
    needs = yaml.safe_load(block)
    schema = json.loads((HELM_DIR / CHART / "values.schema.json").read_text())
    assert list(schema["properties"]["model"]["properties"]["providers"]["properties"]) == list(PROVIDERS)
    assert needs == {
        name: {
            "key": each.key_needed,
            "baseUrl": each.base_url is None or each.base_url.startswith("http://127.0.0.1"),
        }
        for name, each in PROVIDERS.items()
    }


def test_model_traffic_may_reach_the_ports_of_all_providers() -> None:
    manifests = render(CHART, set=PROVIDERS_IN_VALUES)
    egress = one(manifests, "NetworkPolicy", "bank")["spec"]["egress"]
    [rule] = [each for each in egress if any("ipBlock" in peer for peer in each["to"])]
    assert [each["port"] for each in rule["ports"]] == [443, 8000]


def test_prices_reach_the_sessions(empty_environment: pytest.MonkeyPatch) -> None:
    for variable, value in environment(rendered("production"), "triage").items():
        empty_environment.setenv(variable, value)
    settings = SessionSettings()
    assert set(settings.prices) == {"gpt-5-mini", "gpt-5-nano"}
    assert settings.restate_admin_url == "http://restate.restate:9070/"


LIMITS: Settings = {
    "sessions.budget": "7.50",
    "sessions.tokensMax": 3_000_000,
    "sessions.turnTokensMax": 40_000_000,
    "sessions.idleMax": "P90D",
    "sessions.staffSilentMax": "PT5M",
    "sessions.customer.turnsMax": 3,
    "sessions.customer.turnsPerMinute": 0,
    "sessions.customer.sessionsPerDay": 1_000_000,
    "sessions.customer.tokensPerDay": 9_000_000_000,
    "sessions.customer.costPerDay": 12.5,
    "gateway.customerRequestsMax": 5,
    "gateway.customerRequestsPerMinute": 0,
    "gateway.viewersMax": 30,
    "gateway.customerViewersMax": 20,
    "gateway.sessionViewersMax": 10,
    "gateway.addressConnectionsMax": 7,
    "gateway.trustedProxies": ["10.0.0.0/8", "2001:db8::7"],
}


def limits(settings: Settings, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the limits that triage and the gateway read with these values, by the names of the values."""
    manifests = render(CHART, set=settings)
    for name in ("triage", "gateway"):
        for variable, value in environment(manifests, name).items():
            patch.setenv(variable, value)
    return limits_of(SessionSettings(), GatewaySettings())


def limits_of(sessions: SessionSettings, gateway: GatewaySettings) -> dict[str, Any]:
    return {
        "sessions.budget": sessions.session_budget,
        "sessions.tokensMax": sessions.session_tokens_max,
        "sessions.turnTokensMax": sessions.turn_tokens_max,
        "sessions.idleMax": sessions.session_idle_max,
        "sessions.staffSilentMax": sessions.staff_silent_max,
        "sessions.customer.turnsMax": sessions.customer_turns_max,
        "sessions.customer.turnsPerMinute": sessions.customer_turns_per_minute,
        "sessions.customer.sessionsPerDay": sessions.customer_sessions_per_day,
        "sessions.customer.tokensPerDay": sessions.customer_tokens_per_day,
        "sessions.customer.costPerDay": sessions.customer_cost_per_day,
        "gateway.customerRequestsMax": gateway.customer_requests_max,
        "gateway.customerRequestsPerMinute": gateway.customer_requests_per_minute,
        "gateway.viewersMax": gateway.viewers_max,
        "gateway.customerViewersMax": gateway.customer_viewers_max,
        "gateway.sessionViewersMax": gateway.session_viewers_max,
        "gateway.addressConnectionsMax": gateway.address_connections_max,
        "gateway.trustedProxies": [str(network) for network in gateway.trusted_proxies],
    }


def test_values_set_the_limits_of_sessions_customers_and_addresses(empty_environment: pytest.MonkeyPatch) -> None:
    wanted = {
        **LIMITS,
        "sessions.budget": Decimal("7.50"),
        "sessions.idleMax": timedelta(days=90),
        "sessions.staffSilentMax": timedelta(minutes=5),
        "sessions.customer.costPerDay": Decimal("12.5"),
        "gateway.trustedProxies": ["10.0.0.0/8", "2001:db8::7/128"],
    }
    assert limits(LIMITS, empty_environment) == wanted


def test_limits_in_values_are_the_programs_own_defaults(empty_environment: pytest.MonkeyPatch) -> None:
    empty_environment.setenv("GATEWAY_JWT_SECRET", FROM_A_SECRET)
    own = limits_of(SessionSettings(), GatewaySettings())
    assert limits({}, empty_environment) == own


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("sessions.budget", "-1"),
        ("sessions.budget", "5 USD"),
        ("sessions.idleMax", "30 days"),
        ("sessions.tokensMax", "many"),
        ("sessions.customer.turnsMax", 0),
        ("sessions.customer.costPerDay", -1),
        ("sessions.customers", {}),
        ("gateway.addressConnectionsMax", 0),
        ("gateway.trustedProxies", ["ingress-nginx"]),
    ],
)
def test_limit_that_no_program_accepts_is_refused(value: str, wrong: Any) -> None:
    assert value.rpartition(".")[2] in refused(CHART, set={value: wrong})


def test_environment_contains_no_literal_secrets() -> None:
    secret = ("API_KEY", "SECRET", "PASSWORD", "TOKEN", "CREDENTIALS")
    for which in RENDERS:
        manifests = rendered(which)
        for pod in pod_templates(manifests):
            for entry in pod.spec["containers"][0]["env"]:
                if entry["name"].endswith(secret):
                    assert "valueFrom" in entry or entry["value"] == "not-needed", f"{pod.owner} {entry['name']}"


def test_global_and_own_variables_reach_the_container() -> None:
    manifests = render(
        CHART,
        set={
            "extraEnv": [{"name": "ZONE", "value": "a"}, {"name": "LOG_LEVEL", "value": "WARNING"}],
            "extraEnvFrom": [{"secretRef": {"name": "all"}}],
            "services.bank.env": {"LOG_LEVEL": "DEBUG"},
            "services.bank.envFrom": [{"secretRef": {"name": "bank"}}],
            "services.bank.extraEnv": [
                {"name": "PAYMENTS_TOKEN", "valueFrom": {"secretKeyRef": {"name": "payments", "key": "token"}}}
            ],
        },
    )
    bank, airline = environment(manifests, "bank"), environment(manifests, "airline")
    assert (bank["LOG_LEVEL"], airline["LOG_LEVEL"], airline["ZONE"]) == ("DEBUG", "WARNING", "a")
    assert bank["PAYMENTS_TOKEN"] == FROM_A_SECRET
    assert [each["secretRef"]["name"] for each in container(manifests, "bank")["envFrom"]] == ["all", "bank"]


def test_grace_period_of_a_service_exceeds_its_stop_time() -> None:
    needed = (SHUTDOWN_GRACE + EXPORT_TIMEOUT).total_seconds()
    assert values(CHART)["defaults"]["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("grace", [None, 27, 90])
def test_grace_period_of_the_gateway_covers_all_stop_phases(grace: int | None) -> None:
    given = {} if grace is None else {"gateway.terminationGracePeriodSeconds": grace}
    manifests = render(CHART, set=given)
    [pod] = [pod for pod in pod_templates(manifests) if pod.owner == "Deployment/gateway"]
    [command] = [each["lifecycle"]["preStop"]["exec"]["command"] for each in pod.spec["containers"]]
    [seconds] = re.findall(r"time\.sleep\((\d+)\)", command[-1])
    requests = TypeAdapter(timedelta).validate_python(environment(manifests, "gateway")["GATEWAY_STOP_GRACE"])
    if grace is None:
        assert requests == GatewaySettings.model_fields["stop_grace"].default
    left = timedelta(seconds=pod.spec["terminationGracePeriodSeconds"] - int(seconds))
    assert left == requests + GATEWAY_ENDS_WITHIN, "exactly the remaining time"


def test_gateway_stays_ready_if_restate_is_down() -> None:
    """The gateway's 503 says when to retry and with which key. Without a ready pod, the proxy would answer instead."""
    gateway = container(rendered("values.yaml"), "gateway")
    assert {gateway[probe]["httpGet"]["path"] for probe in PROBES} == {"/health"}


def test_ingress_timeouts_exceed_the_gateways_reply_timeout() -> None:
    annotations = one(rendered("production"), "Ingress")["metadata"]["annotations"]
    waits = GatewaySettings.model_fields["reply_timeout"].default.total_seconds()
    for direction in ("read", "send"):
        assert int(annotations[f"nginx.ingress.kubernetes.io/proxy-{direction}-timeout"]) > waits


def loopbacks(host: str) -> list[str]:
    if host == "0.0.0.0":
        return ["127.0.0.1"]
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    return ["127.0.0.1", "[::1]"]


@pytest.mark.parametrize(("name", "which"), [("bank", "values.yaml"), ("bank", "IPv6"), ("demo-model", "IPv6")])
async def test_started_service_answers_every_probe(name: str, which: str, tmp_path: Path) -> None:
    manifests = rendered(which)
    given = environment(manifests, name)
    [port] = free_ports(1)
    module = reference().definition.module(name.replace("-", "_"))
    # There is no collector here, and the process would wait for it when it stops.
    here = {key: value for key, value in given.items() if key != "OTEL_EXPORTER_OTLP_ENDPOINT"} | {"PORT": str(port)}
    process = Process(
        name,
        [sys.executable, "-m", module],
        here,
        port,
        f"http://127.0.0.1:{port}/health",
        tmp_path / "log",
    )
    await process.start()
    try:
        paths = {container(manifests, name)[probe]["httpGet"]["path"] for probe in PROBES}
        paths |= set() if name == "demo-model" else {"/metrics"}
        async with aiohttp.ClientSession() as http:
            for host in loopbacks(given["HOST"]):
                for path in paths:
                    async with http.get(f"http://{host}:{port}{path}") as answer:
                        assert answer.status == 200, path
    finally:
        await process.stop()


def test_migration_runs_before_the_container_with_its_image_and_environment() -> None:
    """The migration needs the database's address, and the same version of the tables as the service."""
    command = ["python", "-m", "services.tools.migrate"]
    address = {"name": "BANK_DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "bank-1", "key": "URL"}}}
    settings: Settings = {
        "services.tools.migrateCommand": command,
        "services.tools.extraEnv": [address],
        "services.tools.envFrom": [{"secretRef": {"name": "more-1"}}],
    }
    manifests = render(CHART, set=settings)
    by_owner = {pod.owner.split("/")[1]: pod.spec for pod in pod_templates(manifests)}
    [migration], [service] = by_owner["tools"]["initContainers"], by_owner["tools"]["containers"]
    assert migration["command"] == command
    same = ("image", "imagePullPolicy", "env", "envFrom", "resources", "securityContext", "volumeMounts")
    assert {name: migration[name] for name in same} == {name: service[name] for name in same}
    assert address in migration["env"]
    assert [name for name, spec in by_owner.items() if "initContainers" in spec] == ["tools"]
