"""The key that agent-mesh makes for customers' tokens: made once, and brought back by no rollback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.charts.rendering import Manifest, helm, of_kind, one, refused, render, rendered_from

CHART = "agent-mesh"
NAME = "gateway-jwt"
SECRETS = {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get"]}
RESOURCES = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [SECRETS]}


@contextmanager
def cluster_with(*names: str) -> Iterator[str]:
    """The address of as much of an API server as `lookup` asks, with Secrets of these names in every namespace."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("?")[0].rpartition("/")[2]
            if self.path.split("?")[0] == "/api/v1":
                self.say(200, RESOURCES)
            elif name in names:
                about = {"name": name, "namespace": self.path.split("/")[4]}
                data = {"GATEWAY_JWT_SECRET": "b2xk"}
                self.say(200, {"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data})
            else:
                self.say(404, {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404})

        def say(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def rendered_on(address: str) -> list[Manifest]:
    """What an upgrade would send to that cluster."""
    with rendered_from(CHART) as folder:
        about = ("--namespace", "mesh", "--is-upgrade", "--dry-run=server", "--kube-apiserver", address)
        done = helm("template", "mesh", str(folder), *about)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def annotations(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("annotations") or {})


def test_the_key_is_in_no_releases_manifest() -> None:
    """helm keeps what is no hook with every revision, and a rollback applies that again."""
    manifests = render(CHART)
    assert not [each for each in of_kind(manifests, "Secret") if "helm.sh/hook" not in annotations(each)]
    secret = one(manifests, "Secret", NAME)
    hooks = annotations(secret)["helm.sh/hook"].split(",")
    assert set(hooks) == {"pre-install", "pre-upgrade"}, "before the pods that read it, and in no rollback"


def test_the_key_outlives_its_release() -> None:
    secret = one(render(CHART), "Secret", NAME)
    assert annotations(secret)["helm.sh/resource-policy"] == "keep"
    policies = annotations(secret)["helm.sh/hook-delete-policy"].split(",")
    assert not {"before-hook-creation", "hook-succeeded"} & set(policies)


@pytest.mark.parametrize(("there", "made"), [((), 1), ((NAME,), 0), (("another",), 1)])
def test_a_key_is_made_where_there_is_none(there: tuple[str, ...], made: int) -> None:
    with cluster_with(*there) as address:
        assert len(of_kind(rendered_on(address), "Secret")) == made


def test_no_key_is_made_beside_ones_own() -> None:
    assert not of_kind(render(CHART, set={"gateway.auth.existingSecret": "mine"}), "Secret")


def test_an_entry_without_its_secret_is_refused() -> None:
    """The Secret that the chart makes has no such entry: the gateway could not start."""
    said = refused(CHART, set={"gateway.auth.existingSecretKey": "jwt"})
    assert "gateway.auth.existingSecretKey is `jwt`" in said
    assert of_kind(
        render(CHART, set={"gateway.auth": {"existingSecret": "a", "existingSecretKey": "jwt"}}), "Deployment"
    )
