"""The part of a Kubernetes API server that helm's `lookup` needs, with the objects that a test gives it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.charts.rendering import (
    NAMESPACES,
    RELEASES,
    Manifest,
    Settings,
    given,
    helm,
    load_all,
    rendered_from,
)

PATHS = {
    "Secret": ("api/v1", "secrets"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Namespace": ("api/v1", "namespaces"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "RestateDeployment": ("apis/restate.dev/v1beta1", "restatedeployments"),
}
"""Group and version, and plural, of each kind that the charts look up."""

CLUSTER_SCOPED = ("Namespace",)


@contextmanager
def cluster_with(*objects: Manifest) -> Iterator[str]:
    """Serve these objects. Yields the server's URL."""
    answers = responses(objects)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0].strip("/")
            body = answers.get(path)
            if body is None and path.rpartition("/")[2] in {plural for _, plural in PATHS.values()}:
                body = {"kind": "List", "apiVersion": "v1", "items": []}
            missing = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}
            self.respond(200 if body else 404, body or missing)

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


def responses(objects: tuple[Manifest, ...]) -> dict[str, Any]:
    """Return the body for each path: the kinds of each group, and each object."""
    found: dict[str, Any] = {}
    for kind, (group, plural) in PATHS.items():
        resource = {
            "name": plural,
            "singularName": kind.lower(),
            "namespaced": kind not in CLUSTER_SCOPED,
            "kind": kind,
            "verbs": ["get", "list"],
        }
        version = group.removeprefix("apis/").removeprefix("api/")
        about = found.setdefault(group, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version})
        about.setdefault("resources", []).append(resource)
    for each in objects:
        group, plural = PATHS[each["kind"]]
        namespace = each["metadata"].get("namespace")
        parts = [group, *(["namespaces", namespace] if namespace else []), plural, each["metadata"]["name"]]
        found["/".join(parts)] = each
    return found


def rendered_on(
    address: str,
    chart: str,
    *files: str,
    set: Settings | None = None,  # noqa: A002 -- helm's own name
    api_versions: tuple[str, ...] = (),
) -> list[Manifest]:
    """Return the objects that an upgrade would send to that cluster."""
    done = rendering_on(address, chart, *files, set=set, api_versions=api_versions)
    assert done.returncode == 0, done.stderr
    return load_all(done.stdout)


def rendering_on(
    address: str,
    chart: str,
    *files: str,
    set: Settings | None = None,  # noqa: A002 -- helm's own name
    api_versions: tuple[str, ...] = (),
) -> Any:
    """Run `helm template` against that cluster, so that `lookup` finds its objects."""
    with rendered_from(chart, dependencies=False) as folder:
        arguments = ["template", RELEASES[chart], str(folder), "--namespace", NAMESPACES[chart], "--is-upgrade"]
        for version in api_versions:
            arguments += ["--api-versions", version]
        return helm(
            *arguments, "--dry-run=server", "--kube-apiserver", address, *given(folder, files, set, cluster=True)
        )


def secret(name: str, namespace: str = "mesh", **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


def config_map(name: str, namespace: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
