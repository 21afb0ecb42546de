"""agent-mesh rejects invalid values, such as typos, moving tags and secrets, and says where the problem is and why."""

import json
import re
from typing import Any

import pytest

from tests.charts.rendering import HELM_DIR, Settings, refused, template, values

CHART = "agent-mesh"

INVALID: dict[str, tuple[Settings, tuple[str, ...]]] = {
    "typo at the top": ({"servces": {}}, ("additional properties 'servces' not allowed",)),
    "typo in a service": ({"services.bank.replica": 3}, ("/services/bank", "'replica'")),
    "typo in the defaults": ({"defaults.drain.delay": 3}, ("/defaults/drain", "'delay'")),
    "typo in the gateway": ({"gateway.ingres.enabled": True}, ("/gateway", "'ingres'")),
    "typo in the demo model": ({"demoModel.latency": 3}, ("/demoModel", "'latency'")),
    "typo in the policies": ({"networkPolicy.enable": False}, ("/networkPolicy", "'enable'")),
    "typo in a peer": ({"networkPolicy.dns": [{"podselector": {}}]}, ("/networkPolicy/dns/0", "'podselector'")),
    "typo in a price": ({"model.prices": {"m": {"in": "1", "output": "1"}}}, ("/model/prices/m", "'in'")),
    "value that the demo model does not have": (
        {"demoModel.autoscaling": {"enabled": True}},
        ("/demoModel", "'autoscaling'"),
    ),
    "latest": ({"image.tag": "latest"}, ("/image/tag", "a tag that never moves")),
    "latest in upper case": ({"image.tag": "LATEST"}, ("/image/tag", "a tag that never moves")),
    "a branch": ({"services.bank.image.tag": "main"}, ("/services/bank/image/tag", "a tag that never moves")),
    "a major version": ({"gateway.image.tag": "v1"}, ("/gateway/image/tag", "a tag that never moves")),
    "a minor version": ({"demoModel.image.tag": "1.2"}, ("/demoModel/image/tag", "a tag that never moves")),
    "a short digest": ({"services.bank.image.digest": "sha256:abc"}, ("/services/bank/image/digest", "sha256:")),
    "a key among the values": ({"model.apiKey": "sk-1"}, ("/model", "'apiKey'")),
    "a key in an environment": (
        {"services.bank.env": {"OPENAI_API_KEY": "sk"}},
        ("services.bank.env.OPENAI_API_KEY: the name suggests a secret",),
    ),
    "a secret in every environment": (
        {"extraEnv": [{"name": "PAYMENTS_PASSWORD", "value": "x"}]},
        ("/extraEnv/0", "missing property 'valueFrom'"),
    ),
    "a variable in lower case": ({"defaults.env": {"log_level": "INFO"}}, ("at '/defaults/env'", "'log_level'")),
    **{
        f"a variable in lower case of {where}": (
            {f"{where}.env": {"log_level": "INFO"}},
            (f"at '/{where.replace('.', '/')}/env'", "'log_level'"),
        )
        for where in ("gateway", "demoModel", "services.bank", "services.newagent")
    },
    "a secret with a suffix": (
        {"gateway.env": {"SIGNING_KEY_V2": "sk"}},
        ("gateway.env.SIGNING_KEY_V2: the name suggests a secret",),
    ),
    "an abbreviation of password": (
        {"defaults.env": {"DB_PASSWD": "x"}},
        ("defaults.env.DB_PASSWD: the name suggests a secret",),
    ),
    "a secret in lower case": (
        {"services.bank.extraEnv": [{"name": "smtp_pass", "value": "x"}]},
        ("/services/bank/extraEnv/0", "absent: pass secrets with valueFrom"),
    ),
    "a secret named like a limit": (
        {"defaults.env": {"TOKENS_MAX_SECRET": "x"}},
        ("defaults.env.TOKENS_MAX_SECRET: the name suggests a secret",),
    ),
    "no registry": ({"image.registry": None}, ("image.registry is not set, and the project publishes no images",)),
    "a registry with a trailing slash": (
        {"image.registry": "registry.example.org/switchboard/"},
        ("/image/registry", "a registry without a trailing slash"),
    ),
    "a gateway with too short a grace period": (
        {"gateway.terminationGracePeriodSeconds": 26},
        ("minimum: got 26, want 27",),
    ),
    "a gateway with drain settings": ({"gateway.drain.delaySeconds": 3}, ("/gateway", "'drain'")),
    "a timeout in another format": ({"gateway.httpRoute.timeouts": {"request": "11 minutes"}}, ("/timeouts/request",)),
    "a private key in place of the public one": (
        {"restate.identityKey": "-----BEGIN"},
        ("/restate/identityKey", "publickeyv1_"),
    ),
    "numbers in an environment": ({"services.bank.env": {"PORT_A": 1}}, ("/services/bank/env/PORT_A", "want string")),
    "a budget of 0 pods": ({"services.bank.pdb.maxUnavailable": 0}, ("/services/bank/pdb", "want 1")),
    "a budget of 0 %": ({"services.bank.pdb.maxUnavailable": "0%"}, ("/services/bank/pdb", "does not match")),
    "a service with too short a grace period": (
        {"defaults.terminationGracePeriodSeconds": 5},
        ("minimum: got 5, want 8",),
    ),
    "an autoscaler without metrics": ({"services.bank.autoscaling.metrics": []}, ("minItems",)),
    "an autoscaler with min above max": (
        {"services.bank.autoscaling": {"enabled": True, "min": 5, "max": 4}},
        ("services.bank.autoscaling: min is 5 and max is 4",),
    ),
    "an unknown delete policy": ({"services.bank.deletePolicy": "later"}, ("'drain', 'force'",)),
    "a demo model that is enabled with a word": ({"demoModel.enabled": "yes"}, ("/demoModel/enabled",)),
    "no model at all": ({"demoModel.enabled": False}, ("kubectl create secret generic model-key-1",)),
    "an unknown provider": ({"model.providers.acme": {"existingSecret": "a"}}, ("at '/model/providers'", "'acme'")),
    "a provider without its key": (
        {"model.providers.anthropic": {}},
        ("model.providers.anthropic.existingSecret is empty",),
    ),
    "a provider whose address is the pod itself": (
        {"model.providers.ollama": {"sends": "none"}},
        ("model.providers.ollama.baseUrl is empty",),
    ),
    "a model whose provider is not given": (
        {"model.existingSecret": "a", "model.fallbackModels": ["anthropic:claude-sonnet-5-5"]},
        ("The model `anthropic:claude-sonnet-5-5` needs the provider anthropic",),
    ),
    "a URL without a scheme": ({"model.baseUrl": "example.org/v1"}, ("/model/baseUrl", "https?")),
    "a service with a reserved name": (
        {"services.gateway": {}},
        ("services.gateway: the chart already has an object",),
    ),
    "a service whose name is no pod name": ({"services.Bank_2": {}}, ("at '/services'", "'Bank_2'")),
    "no services": ({"services": None}, ("missing property 'services'",)),
    "two ways to sign tokens": (
        {"gateway.auth": {"jwksUrl": "https://a.example.org", "existingSecret": "b"}},
        ("gateway.auth: set jwksUrl or existingSecret, not both",),
    ),
    "an identity provider without an audience": (
        {"gateway.auth.jwksUrl": "https://a.example.org"},
        ("needs issuer and audience",),
    ),
    "a route to the metrics": ({"gateway.paths": ["/metrics"]}, ("at '/gateway/paths/0'",)),
    "an ingress without a host": ({"gateway.ingress.enabled": True}, ("needs gateway.ingress.hosts",)),
    "a route without a Gateway": ({"gateway.httpRoute.enabled": True}, ("needs gateway.httpRoute.parentRefs",)),
    "an external Restate without URLs": (
        {"restate.register": {"cluster": None, "url": "https://a.example.org"}},
        ("Set restate.ingressUrl and restate.adminUrl",),
    ),
    "an external Restate without network peers": (
        {
            "restate.register": {"cluster": None, "url": "https://a.example.org"},
            "restate.ingressUrl": "https://a.example.org",
            "restate.adminUrl": "https://a.example.org",
        },
        ("Set networkPolicy.restate",),
    ),
    "a key that each render would change": (
        {"gateway.auth.existingSecret": ""},
        ("there is no cluster to look for an existing key", "set gateway.auth.existingSecret to its name"),
    ),
    "an address other than all interfaces": ({"host": "127.0.0.1"}, ("/host",)),
}


@pytest.mark.half_at_night
@pytest.mark.parametrize("case", INVALID)
def test_invalid_value_is_rejected_with_path_and_reason(case: str) -> None:
    settings, problems = INVALID[case]
    message = refused(CHART, set=settings)
    assert [problem for problem in problems if problem not in message] == [], message


@pytest.mark.parametrize("tag", ["0.1.0", "v1.2.3", "1.2.3-rc.1", "7f3a2c1", "main-7f3a2c1", "2026-11-24"])
def test_immutable_tag_is_accepted(tag: str) -> None:
    done = template(CHART, set={"image.tag": tag})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["RESTATE_IDENTITY_KEY", "SWITCHBOARD_SESSION_TOKENS_MAX", "LOG_LEVEL"])
def test_name_that_only_resembles_a_secret_is_accepted(name: str) -> None:
    done = template(CHART, set={"services.bank.env": {name: "1"}, "extraEnv": [{"name": name, "value": "1"}]})
    assert done.returncode == 0, done.stderr


def test_gateway_accepts_all_service_values_except_documented_ones() -> None:
    schema = json.loads((HELM_DIR / CHART / "values.schema.json").read_text())
    of_a_service = set(schema["definitions"]["service"]["properties"])
    missing = of_a_service - set(schema["properties"]["gateway"]["properties"])
    [comment] = re.findall(r"# -- The gateway\. .* except (.*?), which", (HELM_DIR / CHART / "values.yaml").read_text())
    assert missing == set(re.findall(r"`(\w+)`", comment))


@pytest.mark.parametrize("share", [1, 2, "1%", "50%", "100%"])
def test_budget_of_at_least_one_pod_is_accepted(share: int | str) -> None:
    done = template(CHART, set={"defaults.pdb.maxUnavailable": share})
    assert done.returncode == 0, done.stderr


def groups(node: Any, path: str = "") -> list[str]:
    """Return the path of every group of values."""
    if not isinstance(node, dict) or not node:
        return []
    return [path, *(found for key, value in node.items() for found in groups(value, f"{path}.{key}" if path else key))]


QUANTITIES = ("limits", "requests")
"""Groups that accept any key: Kubernetes defines the keys, and a cluster may add more."""

SHARED_WITH_OTHER_CHARTS = "global"
"""A parent chart may have values of its own there."""


GROUPS = [
    each
    for each in groups(values(CHART))
    if each and not each.endswith(QUANTITIES) and each != SHARED_WITH_OTHER_CHARTS
]


@pytest.mark.half_at_night
@pytest.mark.parametrize("group", GROUPS)
def test_unknown_key_is_rejected_in_every_group(group: str) -> None:
    assert "surprise" in refused(CHART, set={f"{group}.surprise": {"a": 1}})
