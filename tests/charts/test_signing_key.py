"""agent-mesh creates the signing key for customers' tokens once, and no rollback restores an old one."""

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
    """Serve the part of the API server that `lookup` needs, with these Secrets in every namespace. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("?")[0].rpartition("/")[2]
            if self.path.split("?")[0] == "/api/v1":
                self.respond(200, RESOURCES)
            elif name in names:
                about = {"name": name, "namespace": self.path.split("/")[4]}
                data = {"GATEWAY_JWT_SECRET": "b2xk"}
                self.respond(200, {"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data})
            else:
                self.respond(404, {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404})

        def respond(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def rendered_on(address: str) -> list[Manifest]:
    """Return the objects that an upgrade would send to that cluster."""
    with rendered_from(CHART) as folder:
        about = ("--namespace", "mesh", "--is-upgrade", "--dry-run=server", "--kube-apiserver", address)
        done = helm("template", "mesh", str(folder), *about)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def annotations(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("annotations") or {})


def test_signing_key_is_not_part_of_the_releases_manifest() -> None:
    """helm stores all objects but hooks with every revision, and a rollback applies them again."""
    manifests = render(CHART)
    assert not [each for each in of_kind(manifests, "Secret") if "helm.sh/hook" not in annotations(each)]
    secret = one(manifests, "Secret", NAME)
    hooks = annotations(secret)["helm.sh/hook"].split(",")
    assert set(hooks) == {"pre-install", "pre-upgrade"}, "before the pods that read it, and not in a rollback"


def test_signing_key_outlives_its_release() -> None:
    secret = one(render(CHART), "Secret", NAME)
    assert annotations(secret)["helm.sh/resource-policy"] == "keep"
    policies = annotations(secret)["helm.sh/hook-delete-policy"].split(",")
    assert not {"before-hook-creation", "hook-succeeded"} & set(policies)


@pytest.mark.parametrize(("existing", "created"), [((), 1), ((NAME,), 0), (("another",), 1)])
def test_signing_key_is_created_only_if_missing(existing: tuple[str, ...], created: int) -> None:
    with cluster_with(*existing) as address:
        assert len(of_kind(rendered_on(address), "Secret")) == created


def test_no_signing_key_is_created_beside_an_existing_secret() -> None:
    assert not of_kind(render(CHART, set={"gateway.auth.existingSecret": "mine"}), "Secret")


def test_secret_entry_without_a_secret_is_rejected() -> None:
    """The Secret that the chart creates has no such entry, so the gateway could not start."""
    message = refused(CHART, set={"gateway.auth.existingSecretKey": "jwt"})
    assert "gateway.auth.existingSecretKey is `jwt`" in message
    assert of_kind(
        render(CHART, set={"gateway.auth": {"existingSecret": "a", "existingSecretKey": "jwt"}}), "Deployment"
    )
