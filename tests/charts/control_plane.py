"""A real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager. It has no nodes, so no pod runs.

`python -m scripts.kubernetes FOLDER` builds the programs; KUBERNETES_DIR names the folder.
"""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from switchboard.local.process import free_ports
from tests.charts.certificates import certificate
from tests.charts.pods import containers
from tests.charts.rendering import Manifest, Settings, given, load_all, rendered_from
from tests.parts import need_helm

KUBERNETES_DIR = "KUBERNETES_DIR"

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")

ADMIN_TOKEN = "token-of-the-administrator"

START_TIMEOUT_SECONDS = 180
COMMAND_TIMEOUT_SECONDS = 240
STOP_TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.2

NODE = "node-1"


class Done(subprocess.CompletedProcess[str]):
    """A command that has ended, with its output."""


def programs() -> Path:
    """Return the folder with the programs. Skips the test if there is none."""
    given = os.environ.get(KUBERNETES_DIR)
    if not given:
        pytest.skip(f"`python -m scripts.kubernetes FOLDER` builds a control plane; set {KUBERNETES_DIR} to the folder")
    missing = [name for name in PROGRAMS if not (Path(given) / name).exists()]
    assert missing == [], f"{given} lacks {', '.join(missing)}"
    return Path(given)


@dataclass
class ControlPlane:
    """Commands against the API server. `kubeconfig` is the administrator's."""

    programs: Path
    folder: Path
    port: int
    kubeconfig: Path
    pods: dict[str, Done] = field(default_factory=dict)
    """The pods that `node` ran, as namespace/name, and what their containers printed."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def run(self, *command: str, stdin: str | None = None, kubeconfig: Path | None = None) -> Done:
        """Run a command as the administrator, or as the user of another kubeconfig."""
        home = self.folder / "home"
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "HOME": str(home),
            **{f"HELM_{name}_HOME": str(home) for name in ("CONFIG", "CACHE", "DATA")},
        }
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )
        return Done(done.args, done.returncode, done.stdout, done.stderr)

    def kubectl(self, *words: str, stdin: str | None = None, kubeconfig: Path | None = None) -> Done:
        return self.run(str(self.programs / "kubectl"), *words, stdin=stdin, kubeconfig=kubeconfig)

    def succeed(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl and return its output. Fails if the API server refuses."""
        done = self.kubectl(*words, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return str(done.stdout)

    def get(self, *words: str) -> Any:
        return json.loads(self.succeed("get", *words, "--output=json"))

    def items(self, *words: str) -> list[Manifest]:
        found: list[Manifest] = self.get(*words)["items"]
        return found

    def apply(self, *objects: Manifest, words: tuple[str, ...] = ()) -> Done:
        """Send objects with a server-side apply, which takes objects of any size and refuses unknown fields."""
        text = yaml.safe_dump_all(objects)
        return self.kubectl("apply", "--server-side", "--force-conflicts", *words, "--filename=-", stdin=text)

    def helm(
        self,
        verb: str,
        release: str,
        chart: str | None = None,
        *files: str | Path,
        set: Settings | None = None,  # noqa: A002 -- helm's own name
        namespace: str,
        words: tuple[str, ...] = (),
        kubeconfig: Path | None = None,
    ) -> Done:
        """Run helm, with the third-party charts that are downloaded."""
        place = ("--namespace", namespace, *words)
        if chart is None:
            return self.run(need_helm(), verb, release, *place, kubeconfig=kubeconfig)
        with rendered_from(chart) as folder:
            values = given(folder, files, set, cluster=True)
            return self.run(need_helm(), verb, release, str(folder), *values, *place, kubeconfig=kubeconfig)

    def rendered(self, release: str, chart: str, *files: str | Path, namespace: str, **more: Any) -> list[Manifest]:
        """Return what helm would send, with access to the cluster."""
        done = self.helm(
            "template", release, chart, *files, namespace=namespace, words=("--dry-run=server", "--is-upgrade"), **more
        )
        assert done.returncode == 0, done.stderr
        return load_all(done.stdout)

    def account(self, namespace: str, name: str, *words: str) -> Path:
        """Return a kubeconfig with a token of a ServiceAccount."""
        token = self.succeed("--namespace", namespace, "create", "token", name, *words).strip()
        return kubeconfig(self.folder / f"{namespace}-{name}.yaml", self.port, self.authority, token)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        give_up = time.monotonic() + START_TIMEOUT_SECONDS
        while not condition():
            assert time.monotonic() < give_up, f"{what} took longer than {START_TIMEOUT_SECONDS} s"
            time.sleep(POLL_SECONDS)

    @contextmanager
    def node(self, namespace: str) -> Iterator[None]:
        """Be a node during the block: run the pods of a namespace's Jobs as processes here, and serve their logs."""
        with self.logs_of_pods() as port:
            self.succeed("create", "--filename=-", stdin=json.dumps(node(port)))
            try:
                with self.jobs_of(namespace):
                    yield
            finally:
                self.succeed("delete", "node", NODE)

    @contextmanager
    def logs_of_pods(self) -> Iterator[int]:
        """Answer the API server's requests for logs, as a kubelet does. Yields the port."""
        outputs = self.pods

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                namespace, pod = self.path.split("?")[0].split("/")[2:4]
                done = outputs.get(f"{namespace}/{pod}")
                text = (done.stdout + done.stderr).encode() if done else b""
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, self.folder / "tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    @contextmanager
    def jobs_of(self, namespace: str) -> Iterator[None]:
        """Run the pods of a namespace's Jobs during the block."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(POLL_SECONDS):
                done = self.kubectl("--namespace", namespace, "get", "pods", "--selector=job-name", "--output=json")
                for pod in json.loads(done.stdout)["items"] if done.returncode == 0 else []:
                    if pod.get("status", {}).get("phase") == "Pending":
                        self.run_pod(pod)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def run_pod(self, pod: Manifest) -> None:
        """Run the only container of a pod to its end, and report its status to the API server."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
        self.succeed("create", f"--raw={path}", "--filename=-", stdin=json.dumps(binding))
        [container] = containers(pod["spec"])
        environment = {each["name"]: each["value"] for each in container["env"]}
        for mount in container["volumeMounts"]:
            folder = self.mounted(pod, mount["name"])
            environment = {
                key: str(folder) if value == mount["mountPath"] else value for key, value in environment.items()
            }
        server = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}
        done = subprocess.run(
            [sys.executable, *container["command"][1:], *container["args"]],
            env={"PATH": os.environ["PATH"], **environment, **server},
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )
        self.pods[f"{namespace}/{name}"] = Done(done.args, done.returncode, done.stdout, done.stderr)
        phase = "Failed" if done.returncode else "Succeeded"
        patch = json.dumps({"status": {"phase": phase}})
        self.succeed("--namespace", namespace, "patch", "pod", name, "--subresource=status", "--patch", patch)

    def mounted(self, pod: Manifest, volume: str) -> Path:
        """Create the files of a volume, as a kubelet does."""
        folder: Path = self.folder / "volumes" / pod["metadata"]["uid"] / volume
        folder.mkdir(parents=True, exist_ok=True)
        [found] = [each for each in pod["spec"]["volumes"] if each["name"] == volume]
        place = ("--namespace", pod["metadata"]["namespace"])
        for source in found.get("projected", {}).get("sources", []):
            if token := source.get("serviceAccountToken"):
                bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod['metadata']['name']}")
                duration = f"--duration={token['expirationSeconds']}s"
                text = self.succeed(*place, "create", "token", pod["spec"]["serviceAccountName"], *bound, duration)
                (folder / token["path"]).write_text(text.strip())
            if config := source.get("configMap"):
                data = self.get(*place, "configmap", config["name"])["data"]
                for item in config["items"]:
                    (folder / item["path"]).write_text(data[item["key"]])
        return folder


def node(port: int) -> Manifest:
    """Return a Node whose kubelet listens on a port of this machine."""
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": status}


def kubeconfig(file: Path, port: int, authority: Path, token: str) -> Path:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    file.write_text(yaml.safe_dump(document))
    return file


@contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Start a control plane whose data is in the folder. Skips the test without the programs."""
    binaries = programs()
    etcd, peer, port = free_ports(3)
    own = certificate(folder)
    (folder / "home").mkdir()
    (folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},administrator,administrator,"system:masters"\n')
    config = kubeconfig(folder / "kubeconfig.yaml", port, own.file, ADMIN_TOKEN)
    plane = ControlPlane(binaries, folder, port, config)
    with ExitStack() as stack:
        stack.enter_context(
            running(
                folder / "etcd.log",
                str(binaries / "etcd"),
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls=http://127.0.0.1:{etcd}",
                f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
            )
        )
        stack.enter_context(
            running(
                folder / "kube-apiserver.log",
                str(binaries / "kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{etcd}",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                f"--tls-cert-file={own.file}",
                f"--tls-private-key-file={own.key}",
                "--authorization-mode=RBAC",
                f"--token-auth-file={folder / 'tokens.csv'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={own.file}",
                f"--service-account-signing-key-file={own.key}",
                "--service-cluster-ip-range=10.96.0.0/16",
                # It would publish the address 127.0.0.1, which no Service may have.
                "--endpoint-reconciler-type=none",
            )
        )
        plane.wait_until(lambda: plane.kubectl("get", "--raw=/readyz").stdout == "ok", "The API server's start")
        stack.enter_context(
            running(
                folder / "kube-controller-manager.log",
                str(binaries / "kube-controller-manager"),
                f"--kubeconfig={config}",
                f"--service-account-private-key-file={own.key}",
                f"--root-ca-file={own.file}",
                "--leader-elect=false",
                "--secure-port=0",
            )
        )
        accounts = ("--namespace=default", "get", "serviceaccount", "default")
        plane.wait_until(lambda: plane.kubectl(*accounts).returncode == 0, "The controllers' start")
        yield plane
