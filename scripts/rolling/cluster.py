"""Rolls the bank agent forward and back on a Kubernetes cluster, by helm and kubectl, while conversations are held."""

import json
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from scripts import smoke

CHART = "deploy/helm/agent-mesh"
READY_WITHIN = "15m"
DRAINED_WITHIN = timedelta(minutes=30)
LOOK_EVERY = timedelta(seconds=10)
CONVERSATION_WITHIN = timedelta(minutes=10)


class StepFailed(Exception):
    """A command did not do what it should, or an old version was not drained in time; the message says which."""


@dataclass(frozen=True)
class Cluster:
    """Where the release is. `do` is given a command; with a dry run it prints it."""

    do: Callable[[Sequence[str]], str]
    release: str = "mesh"
    namespace: str = "mesh"
    service: str = "bank"
    chart: Path = Path(CHART)

    def forward(self, tag: str) -> None:
        """All that was said about the release stays as it is; one image's tag changes."""
        setting = f"services.{self.service}.image.tag={tag}"
        command = [
            "helm",
            "upgrade",
            self.release,
            str(self.chart),
            "--reset-then-reuse-values",
            "--set-string",
            setting,
        ]
        self.do([*command, "--namespace", self.namespace])
        self.wait_until_routed()

    def back(self) -> None:
        """To the revision before: its pod template is the old one, and so are its version and its address."""
        self.do(["helm", "rollback", self.release, "--namespace", self.namespace])
        self.wait_until_routed()

    def wait_until_routed(self) -> None:
        """Ready says that Restate routes new invocations to the newest version, not only that its pods run."""
        self.kubectl("wait", "--for=condition=Ready", f"rsd/{self.service}", f"--timeout={READY_WITHIN}")

    def show(self) -> str:
        """Every version, with its pods."""
        return self.kubectl("get", "replicasets,pods", "--selector", self.selector, "--output", "wide")

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/name={self.service},app.kubernetes.io/instance={self.release}"

    def draining(self) -> list[str]:
        """Versions that still have pods, but for the newest."""
        answer = self.kubectl("get", "replicasets", "--selector", self.selector, "--output", "json")
        items: list[dict[str, Any]] = json.loads(answer)["items"] if answer else []
        with_pods = [item["metadata"]["name"] for item in items if item["spec"].get("replicas")]
        current = self.kubectl(
            "get", f"rsd/{self.service}", "--output", "jsonpath={.status.labelSelector}"
        )  # The selector of the newest version's pods, with its hash.
        return [name for name in with_pods if name.rpartition("-")[2] not in current]

    def wait_until_drained(self, within: timedelta = DRAINED_WITHIN) -> None:
        """Raises StepFailed: something is paused or waits for long; docs/operations.md says what to look at."""
        until = time.monotonic() + within.total_seconds()
        while draining := self.draining():
            if time.monotonic() > until:
                raise StepFailed(f"{', '.join(draining)} still has unfinished invocations after {within}.")
            time.sleep(LOOK_EVERY.total_seconds())

    def kubectl(self, verb: str, *words: str) -> str:
        return self.do(["kubectl", verb, "--namespace", self.namespace, *words])


def run(command: Sequence[str]) -> str:
    """Raises StepFailed with the program's own words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StepFailed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise StepFailed(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout


def printed(command: Sequence[str]) -> str:
    print(f"  {shlex.join(command)}")
    return ""


@dataclass
class Conversations:
    """Conversations held one after the other, several at a time."""

    address: smoke.Mesh
    held: int = 0
    failures: list[str] = field(default_factory=list)

    def hold(self, enough: threading.Event) -> None:
        while not enough.is_set():
            # Each in a session of its own.
            mesh = smoke.Mesh(self.address.url, self.address.token, self.address.customer)
            try:
                smoke.hold(mesh, time.monotonic() + CONVERSATION_WITHIN.total_seconds(), say=lambda _: None)
            except smoke.Failed as failure:
                self.failures.append(str(failure))
            else:
                self.held += 1


@contextmanager
def conversations(address: smoke.Mesh, at_a_time: int) -> Iterator[Conversations]:
    """The block runs while they are held; each comes to its end."""
    all_of_them, enough = Conversations(address), threading.Event()
    with ThreadPoolExecutor(max(at_a_time, 1)) as pool:
        held = [pool.submit(all_of_them.hold, enough) for _ in range(at_a_time)]
        try:
            yield all_of_them
        finally:
            enough.set()
    for each in held:
        each.result()


def roll(cluster: Cluster, tag: str, say: Callable[[str], None]) -> None:
    """Forward, until the old version is drained, and back. Raises StepFailed."""
    say(f"Forward to {tag}: new turns take the new version, the old one finishes its own.")
    cluster.forward(tag)
    say(cluster.show())
    say("Until the old version has nothing unfinished.")
    cluster.wait_until_drained()
    say("Back.")
    cluster.back()
    say(cluster.show())
    cluster.wait_until_drained()
