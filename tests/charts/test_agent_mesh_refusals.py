"""What agent-mesh refuses to render, and that it says where and why: a typo, a tag that moves, a key in the values."""

import json
import re
from typing import Any

import pytest

from tests.charts.rendering import HELM_DIR, Settings, refused, template, values

CHART = "agent-mesh"

REFUSED: dict[str, tuple[Settings, tuple[str, ...]]] = {
    "typo at the top": ({"servces": {}}, ("additional properties 'servces' not allowed",)),
    "typo in a service": ({"services.bank.replica": 3}, ("/services/bank", "'replica'")),
    "typo in what holds for all": ({"defaults.drain.delay": 3}, ("/defaults/drain", "'delay'")),
    "typo in the gateway": ({"gateway.ingres.enabled": True}, ("/gateway", "'ingres'")),
    "typo in the demo model": ({"demoModel.latency": 3}, ("/demoModel", "'latency'")),
    "typo in the policies": ({"networkPolicy.enable": False}, ("/networkPolicy", "'enable'")),
    "typo in a peer": ({"networkPolicy.dns": [{"podselector": {}}]}, ("/networkPolicy/dns/0", "'podselector'")),
    "typo in a price": ({"model.prices": {"m": {"in": "1", "output": "1"}}}, ("/model/prices/m", "'in'")),
    "what a demo model has not": ({"demoModel.autoscaling": {"enabled": True}}, ("/demoModel", "'autoscaling'")),
    "latest": ({"image.tag": "latest"}, ("/image/tag", "a tag that never moves")),
    "latest, shouted": ({"image.tag": "LATEST"}, ("/image/tag", "a tag that never moves")),
    "a branch": ({"services.bank.image.tag": "main"}, ("/services/bank/image/tag", "a tag that never moves")),
    "a major version": ({"gateway.image.tag": "v1"}, ("/gateway/image/tag", "a tag that never moves")),
    "a minor version": ({"demoModel.image.tag": "1.2"}, ("/demoModel/image/tag", "a tag that never moves")),
    "a short digest": ({"services.bank.image.digest": "sha256:abc"}, ("/services/bank/image/digest", "sha256:")),
    "a key among the values": ({"model.apiKey": "sk-1"}, ("/model", "'apiKey'")),
    "a key in an environment": ({"services.bank.env": {"OPENAI_API_KEY": "sk"}}, ("OPENAI_API_KEY", "no secret")),
    "a secret in every environment": (
        {"extraEnv": [{"name": "PAYMENTS_PASSWORD", "value": "x"}]},
        ("/extraEnv/0", "missing property 'valueFrom'"),
    ),
    "a secret with a word behind it": ({"gateway.env": {"SIGNING_KEY_V2": "sk"}}, ("SIGNING_KEY_V2", "no secret")),
    "a short word for a secret": ({"defaults.env": {"DB_PASSWD": "x"}}, ("DB_PASSWD", "no secret")),
    "a secret in small letters": (
        {"services.bank.extraEnv": [{"name": "smtp_pass", "value": "x"}]},
        ("/services/bank/extraEnv/0", "no value: a secret comes by valueFrom"),
    ),
    "a secret named like a limit": ({"defaults.env": {"TOKENS_MAX_SECRET": "x"}}, ("TOKENS_MAX_SECRET", "no secret")),
    "a registry that ends in a slash": (
        {"image.registry": "ghcr.io/switchboard-mesh/"},
        ("/image/registry", "a registry without the / at its end"),
    ),
    "less time than a gateway needs": ({"gateway.terminationGracePeriodSeconds": 26}, ("minimum: got 26, want 27",)),
    "a gateway that drains as an agent": ({"gateway.drain.delaySeconds": 3}, ("/gateway", "'drain'")),
    "a time that no route knows": ({"gateway.httpRoute.timeouts": {"request": "11 minutes"}}, ("/timeouts/request",)),
    "a private key for signing": ({"restate.identityKey": "-----BEGIN"}, ("/restate/identityKey", "publickeyv1_")),
    "numbers in an environment": ({"services.bank.env": {"PORT_A": 1}}, ("/services/bank/env/PORT_A", "want string")),
    "no pod may ever go": ({"services.bank.pdb.maxUnavailable": 0}, ("/services/bank/pdb", "want 1")),
    "no share may ever go": ({"services.bank.pdb.maxUnavailable": "0%"}, ("/services/bank/pdb", "does not match")),
    "less time than a service needs": ({"defaults.terminationGracePeriodSeconds": 5}, ("minimum: got 5, want 8",)),
    "an autoscaler without a signal": ({"services.bank.autoscaling.metrics": []}, ("minItems",)),
    "an autoscaler upside down": (
        {"services.bank.autoscaling": {"enabled": True, "min": 5, "max": 4}},
        ("services.bank.autoscaling: min is 5 and max is 4",),
    ),
    "another way to drain": ({"services.bank.deletePolicy": "later"}, ("'drain', 'force'",)),
    "a demo model that is perhaps there": ({"demoModel.enabled": "yes"}, ("/demoModel/enabled",)),
    "no model at all": ({"demoModel.enabled": False}, ("kubectl create secret generic model-key",)),
    "an address that is none": ({"model.baseUrl": "example.org/v1"}, ("/model/baseUrl", "https?")),
    "a service with a name of ours": ({"services.gateway": {}}, ("services.gateway: the chart has an object",)),
    "a service with no name of a pod": ({"services.Bank_2": {}}, ("Bank_2",)),
    "no services": ({"services": None}, ("missing property 'services'",)),
    "two kinds of tokens": (
        {"gateway.auth": {"jwksUrl": "https://a.example.org", "existingSecret": "b"}},
        ("gateway.auth: set jwksUrl or existingSecret, not both",),
    ),
    "tokens for anybody": ({"gateway.auth.jwksUrl": "https://a.example.org"}, ("needs issuer and audience",)),
    "an ingress without a host": ({"gateway.ingress.enabled": True}, ("needs gateway.ingress.hosts",)),
    "a route without a gateway": ({"gateway.httpRoute.enabled": True}, ("needs gateway.httpRoute.parentRefs",)),
    "a Restate without addresses": (
        {"restate.register": {"cluster": None, "url": "https://a.example.org"}},
        ("set restate.ingressUrl and restate.adminUrl",),
    ),
    "a Restate without a network": (
        {
            "restate.register": {"cluster": None, "url": "https://a.example.org"},
            "restate.ingressUrl": "https://a.example.org",
            "restate.adminUrl": "https://a.example.org",
        },
        ("set networkPolicy.restate",),
    ),
    "any address at all": ({"host": "127.0.0.1"}, ("/host",)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_right_is_refused_with_its_place_and_reason(what: str) -> None:
    settings, said = REFUSED[what]
    message = refused(CHART, set=settings)
    assert [words for words in said if words not in message] == [], message


@pytest.mark.parametrize("tag", ["0.1.0", "v1.2.3", "1.2.3-rc.1", "7f3a2c1", "main-7f3a2c1", "2026-11-24"])
def test_a_tag_that_stays_is_taken(tag: str) -> None:
    done = template(CHART, set={"image.tag": tag})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["RESTATE_IDENTITY_KEY", "SWITCHBOARD_SESSION_TOKENS_MAX", "LOG_LEVEL"])
def test_what_only_sounds_like_a_secret_is_taken(name: str) -> None:
    done = template(CHART, set={"services.bank.env": {name: "1"}, "extraEnv": [{"name": name, "value": "1"}]})
    assert done.returncode == 0, done.stderr


def test_all_that_can_be_said_of_a_service_can_be_said_of_the_gateway_but_what_values_yaml_excepts() -> None:
    schema = json.loads((HELM_DIR / CHART / "values.schema.json").read_text())
    of_a_service = set(schema["definitions"]["service"]["properties"])
    refused_there = of_a_service - set(schema["properties"]["gateway"]["properties"])
    [comment] = re.findall(r"# -- (Everything .*)\ngateway:", (HELM_DIR / CHART / "values.yaml").read_text())
    assert refused_there == set(re.findall(r"`(\w+)`", comment)) - {"defaults"}


@pytest.mark.parametrize("share", [1, 2, "1%", "50%", "100%"])
def test_a_budget_lets_somebody_go(share: int | str) -> None:
    done = template(CHART, set={"defaults.pdb.maxUnavailable": share})
    assert done.returncode == 0, done.stderr


def groups(node: Any, path: str = "") -> list[str]:
    """Every group of values with keys of its own."""
    if not isinstance(node, dict) or not node:
        return []
    return [path, *(found for key, value in node.items() for found in groups(value, f"{path}.{key}" if path else key))]


QUANTITIES = ("limits", "requests")
"""Here Kubernetes names the keys, and a cluster may add to them."""


@pytest.mark.parametrize("group", [each for each in groups(values(CHART)) if each and not each.endswith(QUANTITIES)])
def test_no_group_of_values_takes_a_key_that_it_does_not_know(group: str) -> None:
    assert "surprise" in refused(CHART, set={f"{group}.surprise": {"a": 1}})
