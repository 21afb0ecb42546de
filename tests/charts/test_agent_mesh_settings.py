"""The environment, ports and paths that agent-mesh gives a container are those of the program in it."""

import os
import re
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter
from pydantic_settings import BaseSettings

from services.project import reference
from services.tools.airline.settings import AirlineSettings
from switchboard.demo_model.settings import Settings as DemoModelSettings
from switchboard.gateway.settings import GatewaySettings, TokenSettings
from switchboard.gateway.settings import ListenSettings as GatewayListenSettings
from switchboard.local.process import Process, free_ports
from switchboard.runtime.serve import SHUTDOWN_GRACE
from switchboard.runtime.settings import ModelSettings, ServerSettings
from switchboard.session.settings import SessionSettings
from switchboard.telemetry.setup import EXPORT_TIMEOUT
from switchboard.toolkit.settings import PolicySettings, ToolsSettings
from tests.charts.pods import pod_templates
from tests.charts.rendering import Manifest, Settings, one, render, values

CHART = "agent-mesh"

READ_BY: dict[str, tuple[type[BaseSettings], ...]] = {
    "triage": (ServerSettings, ModelSettings, SessionSettings),
    "bank": (ServerSettings, ModelSettings),
    "airline": (ServerSettings, ModelSettings),
    "tools": (ServerSettings, ToolsSettings, PolicySettings, AirlineSettings),
    "demo-model": (DemoModelSettings,),
}

FROM_A_SECRET = "what-stands-in-the-secret-and-is-long-enough"

RENDERS: dict[str, tuple[tuple[str, ...], Settings]] = {
    "values.yaml": ((), {"restate.identityKey": "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"}),
    "local": (("values-local.yaml",), {}),
    "production": (("values-production.yaml",), {"model.baseUrl": "https://model.example.org/v1"}),
    "IPv6": ((), {"host": "::"}),
}

GATEWAY_ENDS_WITHIN = timedelta(seconds=5)
"""After its grace: it tells whoever still waits, and sends its last spans."""

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def container(manifests: list[Manifest], name: str) -> dict[str, Any]:
    """The only container of a workload or of a pod."""
    [pod] = [pod for pod in pod_templates(manifests) if pod.owner.split("/")[1] == name]
    [found] = pod.spec["containers"]
    return dict(found)


def environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    """As the process would see it. Every name stands there once."""
    entries = container(manifests, name)["env"]
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry.get("value", FROM_A_SECRET) for entry in entries}


def rendered(which: str) -> list[Manifest]:
    files, settings = RENDERS[which]
    return render(CHART, *files, set=settings)


def known(kind: type[BaseSettings]) -> set[str]:
    """The variables that these settings are read from."""
    return {str(field.validation_alias or name).upper() for name, field in kind.model_fields.items()}


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which only what a test sets is set."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("which", RENDERS)
def test_every_service_takes_the_environment_it_is_given(which: str, nothing_else: pytest.MonkeyPatch) -> None:
    manifests = rendered(which)
    names = {pod.owner.split("/")[1] for pod in pod_templates(manifests)} - {"gateway", "test"}
    assert names <= READ_BY.keys()
    for name in names:
        given = environment(manifests, name)
        assert given.keys() <= set().union(*(known(kind) for kind in READ_BY[name])), name
        with nothing_else.context() as alone:
            for variable, value in given.items():
                alone.setenv(variable, value)
            for kind in READ_BY[name]:
                kind()


@pytest.mark.parametrize("which", RENDERS)
def test_the_gateway_takes_the_environment_it_is_given(which: str, nothing_else: pytest.MonkeyPatch) -> None:
    kinds = (GatewaySettings, GatewayListenSettings)
    given = environment(rendered(which), "gateway")
    assert given.keys() <= set().union(*(known(kind) for kind in kinds))
    for variable, value in given.items():
        nothing_else.setenv(variable, value)
    for kind in kinds:
        kind()


def test_the_pod_of_helm_test_can_make_a_token(nothing_else: pytest.MonkeyPatch) -> None:
    given = environment(rendered("values.yaml"), "test")
    for variable, value in given.items():
        nothing_else.setenv(variable, value)
    assert TokenSettings().jwt_secret is not None
    own = environment(rendered("values.yaml"), "gateway")
    assert {key: value for key, value in own.items() if key.startswith("GATEWAY_JWT")}.items() <= given.items()


@pytest.mark.parametrize("which", RENDERS)
def test_a_process_listens_where_its_pod_says(which: str) -> None:
    manifests = rendered(which)
    for name in ("triage", "bank", "airline", "tools"):
        given, ports = environment(manifests, name), container(manifests, name)["ports"]
        assert ports[0] == {"name": "restate", "containerPort": int(given["PORT"])}
        assert given["HOST"] == RENDERS[which][1].get("host", "0.0.0.0")
    given, ports = environment(manifests, "gateway"), container(manifests, "gateway")["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == {
        "http": int(given["PORT"]),
        "metrics": int(given["METRICS_PORT"]),
    }


def test_agents_ask_the_model_that_is_there() -> None:
    demo = environment(rendered("values.yaml"), "bank")
    assert (demo["OPENAI_BASE_URL"], demo["SWITCHBOARD_MODEL"]) == ("http://demo-model:9099/v1", "demo")
    real = environment(rendered("production"), "bank")
    assert real["OPENAI_BASE_URL"] == "https://model.example.org/v1"
    assert (real["SWITCHBOARD_MODEL"], real["SWITCHBOARD_FALLBACK_MODELS"]) == ("gpt-5-mini", "gpt-5-nano")


def test_prices_reach_the_sessions(nothing_else: pytest.MonkeyPatch) -> None:
    for variable, value in environment(rendered("production"), "triage").items():
        nothing_else.setenv(variable, value)
    settings = SessionSettings()
    assert set(settings.prices) == {"gpt-5-mini", "gpt-5-nano"}
    assert str(settings.restate_admin_url) == "http://restate.restate:9070/"


def test_no_secret_stands_in_an_environment() -> None:
    secret = ("API_KEY", "SECRET", "PASSWORD", "TOKEN", "CREDENTIALS")
    for which in RENDERS:
        manifests = rendered(which)
        for pod in pod_templates(manifests):
            for entry in pod.spec["containers"][0]["env"]:
                if entry["name"].endswith(secret):
                    assert "valueFrom" in entry or entry["value"] == "not-needed", f"{pod.owner} {entry['name']}"


def test_what_is_said_for_all_and_for_one_reaches_the_container() -> None:
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


def test_a_service_may_end_before_kubernetes_ends_it() -> None:
    needed = (SHUTDOWN_GRACE + EXPORT_TIMEOUT).total_seconds()
    assert values(CHART)["defaults"]["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("grace", [None, 27, 90])
def test_a_gateway_may_end_before_kubernetes_ends_it(grace: int | None) -> None:
    given = {} if grace is None else {"gateway.terminationGracePeriodSeconds": grace}
    manifests = render(CHART, set=given)
    [pod] = [pod for pod in pod_templates(manifests) if pod.owner == "Deployment/gateway"]
    [command] = [each["lifecycle"]["preStop"]["exec"]["command"] for each in pod.spec["containers"]]
    [seconds] = re.findall(r"time\.sleep\((\d+)\)", command[-1])
    requests = TypeAdapter(timedelta).validate_python(environment(manifests, "gateway")["GATEWAY_STOP_GRACE"])
    if grace is None:
        assert requests == GatewaySettings.model_fields["stop_grace"].default
    left = timedelta(seconds=pod.spec["terminationGracePeriodSeconds"] - int(seconds))
    assert left == requests + GATEWAY_ENDS_WITHIN, "all the time there is, and no more"


def test_a_gateway_takes_customers_while_restate_is_away() -> None:
    """Its own 503 says when to ask again, and with which key; without a ready pod, what is before it would answer."""
    gateway = container(rendered("values.yaml"), "gateway")
    assert {gateway[probe]["httpGet"]["path"] for probe in PROBES} == {"/health"}


def test_what_is_before_a_gateway_waits_longer_than_it_does() -> None:
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
            pytest.skip("needs IPv6, which this machine has not")
    return ["127.0.0.1", "[::1]"]


@pytest.mark.parametrize(("name", "which"), [("bank", "values.yaml"), ("bank", "IPv6"), ("demo-model", "IPv6")])
async def test_a_started_service_answers_every_probe(name: str, which: str, tmp_path: Path) -> None:
    manifests = rendered(which)
    given = environment(manifests, name)
    [port] = free_ports(1)
    module = reference().definition.module(name.replace("-", "_"))
    # The collector's name means nothing here, and spans for nobody would be waited for at the end.
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
