"""The charts create each key once: no rollback restores an old one, and a tool that only renders gets none."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from switchboard.local.process import free_ports
from switchboard.local.restate_server import find_binary
from switchboard.speaker import KEY_MIN_BYTES
from tests.charts.api_server import (
    cluster_with,
    config_map,
    namespace,
    rendered_on,
    rendering_on,
    secret,
)
from tests.charts.pods import PodTemplate, containers, pod_templates
from tests.charts.rendering import IN_PRODUCTION, Manifest, of_kind, one, refused, render
from tests.parts import need

MESH, PLATFORM = "agent-mesh", "mesh-platform"
TOKENS, SPEAKER, EVENTS, SIGNING = "gateway-jwt", "speaker-keys", "events-keys", "request-signing"
PUBLIC_KEY = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

KEYS = pytest.mark.parametrize(
    ("chart", "name"), [(MESH, TOKENS), (MESH, SPEAKER), (MESH, EVENTS), (PLATFORM, SIGNING)]
)


ALL_KEYS = {MESH: (TOKENS, SPEAKER, EVENTS), PLATFORM: (SIGNING,)}


def names_of(manifests: list[Manifest]) -> set[str]:
    """Return the names of the Secrets."""
    return {each["metadata"]["name"] for each in of_kind(manifests, "Secret")}


def annotations(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("annotations") or {})


def installed(chart: str, *objects: Manifest) -> list[Manifest]:
    """Return what helm would send to a cluster with these objects."""
    with cluster_with(*objects) as address:
        return rendered_on(address, chart)


@KEYS
def test_key_is_not_part_of_the_releases_manifest(chart: str, name: str) -> None:
    """helm stores all objects but hooks with every revision, and a rollback applies them again."""
    manifests = installed(chart)
    assert not [each for each in of_kind(manifests, "Secret") if "helm.sh/hook" not in annotations(each)]
    hooks = annotations(one(manifests, "Secret", name))["helm.sh/hook"].split(",")
    assert set(hooks) == {"pre-install", "pre-upgrade"}, "before the pods that read it, and not in a rollback"


@KEYS
def test_key_outlives_its_release(chart: str, name: str) -> None:
    made = annotations(one(installed(chart), "Secret", name))
    assert made["helm.sh/resource-policy"] == "keep"
    policies = made["helm.sh/hook-delete-policy"].split(",")
    assert not {"before-hook-creation", "hook-succeeded"} & set(policies)


@KEYS
def test_key_is_created_only_if_missing(chart: str, name: str) -> None:
    where = "mesh" if chart == MESH else "restate"
    assert name in names_of(installed(chart))
    assert name in names_of(installed(chart, secret("another", where)))
    assert name not in names_of(installed(chart, secret(name, where)))


@KEYS
def test_two_renders_on_a_cluster_with_the_key_are_equal(chart: str, name: str) -> None:
    assert name in ALL_KEYS[chart]
    found = [secret(each, "mesh" if chart == MESH else "restate") for each in ALL_KEYS[chart]]
    assert installed(chart, *found) == installed(chart, *found)


@pytest.mark.parametrize(
    ("chart", "setting", "instead"),
    [
        (MESH, "gateway.auth.existingSecret", "set gateway.auth.existingSecret"),
        (MESH, "speakerKeys.existingSecret", "set speakerKeys.existingSecret"),
        (PLATFORM, "restate.requestSigning.existingSecret", "set restate.requestSigning.existingSecret"),
    ],
)
def test_tool_that_only_renders_gets_no_key(chart: str, setting: str, instead: str) -> None:
    """Each render would contain another key. Argo CD would then replace it with each sync."""
    message = refused(chart, set={setting: ""})
    assert "there is no cluster to look for an existing key" in message
    assert instead in message


def test_no_key_is_created_beside_an_existing_secret() -> None:
    mine = {"gateway.auth.existingSecret": "mine", "speakerKeys.existingSecret": "mine"}
    assert not of_kind(render(MESH, set=mine), "Secret")
    assert not of_kind(render(PLATFORM, set={"restate.requestSigning.existingSecret": "mine"}), "Secret")


def test_secret_entry_without_a_secret_is_rejected() -> None:
    """The Secret that the chart creates has no such entry, so the gateway could not start."""
    with cluster_with() as address:
        done = rendering_on(address, MESH, set={"gateway.auth.existingSecretKey": "jwt"})
    assert "gateway.auth.existingSecretKey is `jwt`" in done.stderr
    own = render(MESH, set={"gateway.auth": {"existingSecret": "a", "existingSecretKey": "jwt"}})
    assert of_kind(own, "Deployment")


def speaker_key_of(pod: PodTemplate) -> object:
    [found] = [
        each["valueFrom"] for each in containers(pod.spec)[0]["env"] if each["name"] == "SWITCHBOARD_SPEAKER_KEYS"
    ]
    return found["secretKeyRef"]


def test_only_the_gateway_and_services_that_verify_it_have_its_signing_key() -> None:
    """Agents read customers' and models' texts. With the key, one could speak for any customer."""
    pods = {pod.owner: pod for pod in pod_templates(installed(MESH))}
    holders = {owner for owner, pod in pods.items() if "SWITCHBOARD_SPEAKER_KEYS" in str(pod.spec)}
    assert holders == {"Deployment/gateway", "RestateDeployment/triage", "RestateDeployment/tools"}
    keys = [speaker_key_of(pods[owner]) for owner in holders]
    assert keys == [{"name": SPEAKER, "key": "SWITCHBOARD_SPEAKER_KEYS"}] * len(holders)


def test_gateways_signing_key_may_be_in_any_secret() -> None:
    own = {"speakerKeys": {"existingSecret": "mine", "existingSecretKey": "keys"}}
    pods = [pod for pod in pod_templates(render(MESH, set=own)) if "SPEAKER_KEYS" in str(pod.spec)]
    assert [speaker_key_of(pod) for pod in pods] == [{"name": "mine", "key": "keys"}] * 3
    with cluster_with() as address:
        done = rendering_on(address, MESH, set={"speakerKeys.existingSecretKey": "keys"})
    assert "speakerKeys.existingSecretKey is `keys`" in done.stderr


TELLING = {"RestateDeployment/triage", "RestateDeployment/bank", "RestateDeployment/airline"}


def test_agents_have_the_key_of_the_live_channel_and_not_the_gateways_own() -> None:
    manifests = installed(MESH)
    made = one(manifests, "Secret", EVENTS)["data"]["SWITCHBOARD_EVENTS_KEYS"]
    assert len(base64.b64decode(made)) >= KEY_MIN_BYTES
    pods = {pod.owner: str(pod.spec) for pod in pod_templates(manifests)}
    assert {owner for owner, spec in pods.items() if "SWITCHBOARD_EVENTS_KEYS" in spec} == {
        "Deployment/gateway",
        *TELLING,
    }
    assert {owner for owner, spec in pods.items() if "http://gateway-events:9465" in spec} == TELLING
    [port] = one(manifests, "Service", "gateway-events")["spec"]["ports"]
    assert (port["port"], one(manifests, "Service", "gateway-events")["spec"]["clusterIP"]) == (9465, "None")
    assert [each["port"] for each in one(manifests, "Service", "gateway")["spec"]["ports"]] == [80]


def test_live_channel_may_be_off_and_its_key_in_any_secret() -> None:
    for off in ({"events.enabled": False}, {"gateway.enabled": False}):
        manifests = render(MESH, set=off)
        assert "EVENTS_KEYS" not in str(manifests)
        assert "EVENTS_URLS" not in str(manifests)
        assert not [each for each in of_kind(manifests, "Service") if each["metadata"]["name"] == "gateway-events"]
    own = render(MESH, set={"events": {"existingSecret": "mine", "existingSecretKey": "keys"}})
    assert not [each for each in of_kind(own, "Secret") if each["metadata"]["name"] == EVENTS]
    keys = [
        each["valueFrom"]["secretKeyRef"]
        for pod in pod_templates(own)
        for each in containers(pod.spec)[0]["env"]
        if each["name"] == "SWITCHBOARD_EVENTS_KEYS"
    ]
    assert keys == [{"name": "mine", "key": "keys", "optional": True}] * 4
    with cluster_with() as address:
        done = rendering_on(address, MESH, set={"events.existingSecretKey": "keys"})
    assert "events.existingSecretKey is `keys`" in done.stderr


def test_created_key_is_long_enough_for_the_gateway() -> None:
    made = one(installed(MESH), "Secret", SPEAKER)["data"]["SWITCHBOARD_SPEAKER_KEYS"]
    assert len(base64.b64decode(made)) >= KEY_MIN_BYTES


def test_several_identity_keys_are_accepted_during_a_rotation() -> None:
    both = f"{PUBLIC_KEY},publickeyv1_6euYhjbqAMd2PY3MaXa9Z33GK4yJ5NsPpb6VCMaCtWNY"
    assert identity_keys(render(MESH, set={"restate.identityKey": both})) == {both}


def base58(data: bytes) -> str:
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def signing_pair(manifests: list[Manifest]) -> tuple[bytes, str]:
    """Return the private key (PEM) and the public key that the chart created."""
    private = base64.b64decode(one(manifests, "Secret", SIGNING)["data"]["private.pem"])
    return private, one(manifests, "ConfigMap", SIGNING)["data"]["public"]


def test_public_key_belongs_to_the_private_key() -> None:
    for _ in range(4):
        private, public = signing_pair(installed(PLATFORM))
        key = load_pem_private_key(private, password=None)
        assert isinstance(key, Ed25519PrivateKey)
        assert public == "publickeyv1_" + base58(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def test_restate_reads_the_key_and_prints_the_same_public_key(tmp_path: Path) -> None:
    """The server logs its public key before it needs anything else. It gets a second, and is ended then."""
    server = find_binary("restate-server")
    need("the Restate server", server, "`make setup` installs it")
    private, public = signing_pair(installed(PLATFORM))
    (tmp_path / "private.pem").write_bytes(private)
    ports = [f"127.0.0.1:{port}" for port in free_ports(3)]
    variables = ("RESTATE_BIND_ADDRESS", "RESTATE_ADMIN__BIND_ADDRESS", "RESTATE_INGRESS__BIND_ADDRESS")
    environment = {
        **dict(zip(variables, ports, strict=True)),
        "RESTATE_BASE_DIR": str(tmp_path),
        "RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(tmp_path / "private.pem"),
        "RESTATE_LOG_FILTER": "info",
        "RESTATE_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(
        [str(server)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        seen = next((line for line in process.stdout if "publickeyv1_" in line), "")
    finally:
        process.kill()
        process.wait()
    assert public in seen


def test_restate_signs_with_the_key_that_the_chart_created() -> None:
    cluster = one(installed(PLATFORM), "RestateCluster")["spec"]["security"]
    wanted = {"version": "v1", "secret": {"secretName": SIGNING, "key": "private.pem"}}
    assert cluster["requestSigningPrivateKey"] == wanted
    assert one(installed(PLATFORM), "Namespace", "restate")["metadata"]["labels"] == {
        "app.kubernetes.io/part-of": "switchboard",
        "pod-security.kubernetes.io/enforce": "baseline",
    }
    assert not of_kind(installed(PLATFORM, namespace("restate")), "Namespace")


def identity_keys(manifests: list[Manifest]) -> set[str | None]:
    """Return the identity keys of all services."""
    pods = [pod for pod in pod_templates(manifests) if pod.owner.startswith("RestateDeployment/")]
    environments = [{each["name"]: each.get("value") for each in containers(pod.spec)[0]["env"]} for pod in pods]
    return {each.get("RESTATE_IDENTITY_KEY") for each in environments}


def test_services_verify_the_platforms_signature_by_default() -> None:
    _, public = signing_pair(installed(PLATFORM))
    assert identity_keys(installed(MESH, config_map(SIGNING, "restate", public=public))) == {public}
    assert identity_keys(installed(MESH)) == {None}, "an installation without that key, which the notes warn of"
    assert identity_keys(render(MESH, set={"restate.identityKey": PUBLIC_KEY})) == {PUBLIC_KEY}


def test_production_values_need_an_identity_key() -> None:
    message = refused(MESH, "values-production.yaml", set={"restate.identityKey": ""})
    assert "restate.identityKey is empty" in message
    with cluster_with(config_map(SIGNING, "restate", public=PUBLIC_KEY)) as address:
        found = rendered_on(
            address, MESH, "values-production.yaml", set={**IN_PRODUCTION[MESH], "restate.identityKey": ""}
        )
    assert identity_keys(found) == {PUBLIC_KEY}


NOT_FIT: dict[str, tuple[str, dict[str, object]]] = {
    "the demo model is in use": (MESH, {"demoModel.enabled": True}),
    "networkPolicy.enabled is false": (MESH, {"networkPolicy.enabled": False}),
    "telemetry.content is `full`": (MESH, {"telemetry.content": "full"}),
    "services.bank.image.digest is empty": (MESH, {"services.bank.image.digest": ""}),
    "gateway.image.digest is empty": (MESH, {"gateway.image.digest": ""}),
    "restate.requestSigning has no key": (PLATFORM, {"restate.requestSigning.create": False}),
    "restate.disableNetworkPolicies is true": (PLATFORM, {"restate.disableNetworkPolicies": True}),
    "restate.image.digest is empty": (PLATFORM, {"restate.image.digest": ""}),
    "opentelemetry-collector.image.digest is empty": (PLATFORM, {"opentelemetry-collector.image.digest": ""}),
    "jaeger.jaeger.image.digest is empty": (PLATFORM, {"jaeger.jaeger.image.digest": ""}),
}


@pytest.mark.parametrize("problem", NOT_FIT)
def test_production_values_refuse_what_is_not_fit_for_customers(problem: str) -> None:
    chart, settings = NOT_FIT[problem]
    file = {MESH: "values-production.yaml", PLATFORM: "values-ha.yaml"}[chart]
    s3 = {} if chart == MESH else {"restate.snapshots.destination": "s3://bucket/path"}
    assert problem in refused(chart, file, set={**s3, **settings})
