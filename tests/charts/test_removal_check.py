"""`helm uninstall` of agent-mesh is refused while RestateDeployments exist: by a hook, whose script is run here."""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from switchboard.local.process import free_ports
from tests.charts.certificates import certificate
from tests.charts.pods import containers, pod_templates
from tests.charts.rendering import Manifest, of_kind, one, render

CHART = "agent-mesh"
TOKEN = "the-token-of-the-pod"
TIMEOUT_SECONDS = 120

KINDS = ("ServiceAccount", "Role", "RoleBinding", "Job")


@contextmanager
def api_server(folder: Path, status: int = 200, *names: str) -> Iterator[tuple[int, list[str]]]:
    """Answer lists of RestateDeployments over TLS, like the API server. Yields its port and the requested paths."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            body = json.dumps({"items": [{"metadata": {"name": name}} for name in names]}).encode()
            self.send_response(status if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def check(folder: Path, port: int, token: str = TOKEN, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the hook's container command as its pod does."""
    [pod] = [pod for pod in pod_templates(render(CHART)) if pod.owner == "Job/removal-check"]
    [container] = containers(pod.spec)
    (folder / "token").write_text(token)
    given = {each["name"]: each["value"] for each in container["env"]}
    here = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port), "ACCOUNT_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, *container["command"][1:], *container["args"]],
        env={**given, **here, "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )


def hooks(manifests: list[Manifest]) -> list[Manifest]:
    return [each for each in manifests if "pre-delete" in str(each["metadata"].get("annotations") or {})]


def test_check_runs_before_helm_removes_anything() -> None:
    found = hooks(render(CHART))
    assert [each["kind"] for each in found] == [*KINDS]
    weights = {each["kind"]: int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) for each in found}
    assert weights["ServiceAccount"] == weights["Role"] < weights["RoleBinding"] < weights["Job"]
    policy = one(found, "Job")["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert "hook-failed" not in policy, "its log says why it refused"
    assert not hooks(render(CHART, set={"removalCheck.enabled": False}))


def test_check_may_only_list_restate_deployments() -> None:
    found = hooks(render(CHART))
    assert one(found, "Role")["rules"] == [
        {"apiGroups": ["restate.dev"], "resources": ["restatedeployments"], "verbs": ["list"]}
    ]
    binding = one(found, "RoleBinding")
    assert binding["roleRef"]["name"] == one(found, "Role")["metadata"]["name"]
    assert binding["subjects"][0]["name"] == one(found, "Job")["spec"]["template"]["spec"]["serviceAccountName"]
    assert not of_kind(render(CHART), "ClusterRole")


def test_check_runs_without_a_gateway() -> None:
    job = one(render(CHART, set={"gateway.enabled": False}), "Job")
    assert job["spec"]["template"]["spec"]["containers"][0]["image"].startswith(
        "registry.example.org/switchboard/switchboard-"
    )


def test_removal_is_refused_while_deployments_exist(tmp_path: Path) -> None:
    with api_server(tmp_path, 200, "bank", "triage") as (port, asked):
        done = check(tmp_path, port)
    assert done.returncode != 0
    assert "These RestateDeployments still exist: bank, triage. Nothing was removed." in done.stderr
    assert "kubectl -n mesh delete rsd --selector app.kubernetes.io/instance=mesh --wait" in done.stderr
    assert "helm -n mesh rollback mesh 1" in done.stderr
    path = urlsplit(asked[0])
    assert path.path == "/apis/restate.dev/v1beta1/namespaces/mesh/restatedeployments"
    assert parse_qs(path.query) == {"labelSelector": ["app.kubernetes.io/instance=mesh"]}


def test_selector_finds_every_deployment_of_the_release() -> None:
    for each in of_kind(render(CHART), "RestateDeployment"):
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "mesh"


@pytest.mark.parametrize("status", [200, 404])
def test_removal_goes_on_if_none_exists_or_the_kind_is_unknown(status: int, tmp_path: Path) -> None:
    with api_server(tmp_path, status) as (port, _):
        done = check(tmp_path, port)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("status", [403, 500])
def test_removal_is_refused_if_the_api_server_does_not_say(status: int, tmp_path: Path) -> None:
    with api_server(tmp_path, status) as (port, _):
        done = check(tmp_path, port, TIMEOUT_SECONDS="1")
    assert done.returncode != 0
    assert "Cannot find out whether RestateDeployments exist" in done.stderr
    assert "helm -n mesh rollback mesh 1" in done.stderr


def test_removal_is_refused_without_an_api_server(tmp_path: Path) -> None:
    certificate(tmp_path)
    [port] = free_ports(1)
    done = check(tmp_path, port, TIMEOUT_SECONDS="1")
    assert "Connection refused" in done.stderr
    assert "Nothing was removed" in done.stderr


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with api_server(tmp_path, 200) as (port, _):
        certificate(other)
        done = check(other, port, TIMEOUT_SECONDS="1")
    assert "certificate verify failed" in done.stderr


def projected(manifests: list[Manifest]) -> list[dict[str, Any]]:
    [volume] = [each for each in one(manifests, "Job")["spec"]["template"]["spec"]["volumes"] if "projected" in each]
    return list(volume["projected"]["sources"])


def test_token_of_the_check_is_short_lived() -> None:
    token, authority = projected(render(CHART))
    assert token["serviceAccountToken"]["expirationSeconds"] == 600
    assert authority["configMap"]["name"] == "kube-root-ca.crt"
