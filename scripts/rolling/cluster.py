"""Roll the bank agent forward and back on a Kubernetes cluster, with helm and kubectl, during conversations."""

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

import yaml

from scripts import smoke

CHART = "deploy/helm/agent-mesh"
READY_TIMEOUT = "15m"
DRAIN_TIMEOUT = timedelta(minutes=30)
POLL_INTERVAL = timedelta(seconds=10)
CONVERSATION_TIMEOUT = timedelta(minutes=10)

PAUSE_AFTER_FAILURE = timedelta(seconds=5)
FAILURES_SHOWN_MAX = 20
"""Maximum number of failures that are reported one by one. All are counted."""

DEPLOYED = "deployed"
DEPLOYED_REVISION = "DEPLOYED_REVISION"
"""Placeholder for the number in a dry run."""


class StepFailed(Exception):
    """A step is not possible, failed or timed out; the message says which step and what to do."""


@dataclass(frozen=True)
class Revision:
    """A revision of a release, from `helm get metadata`. Versions are [chart's name, its version, its appVersion]."""

    number: int
    status: str
    versions: list[str]


@dataclass(frozen=True)
class Cluster:
    """A release in a cluster. `execute` runs a command, or prints it in a dry run."""

    execute: Callable[[Sequence[str]], str]
    release: str = "mesh"
    namespace: str = "mesh"
    service: str = "bank"
    chart: Path = Path(CHART)

    def newest(self) -> Revision | None:
        """Return the newest revision, or None in a dry run."""
        command = ["helm", "get", "metadata", self.release, "--namespace", self.namespace, "--output", "json"]
        answer = self.execute(command)
        if not answer:
            return None
        metadata = json.loads(answer)
        versions = [str(metadata[name]) for name in ("chart", "version", "appVersion")]
        return Revision(int(metadata["revision"]), str(metadata["status"]), versions)

    def deployed(self) -> Revision | None:
        """Return the revision to roll back to. Raises StepFailed if an upgrade would change more than one tag."""
        found = self.newest()
        if found is None:
            return None
        if found.status != DEPLOYED:
            raise StepFailed(
                f"Revision {found.number} of {self.release} is {found.status}, so it is no target for a rollback. "
                "No changes were made. Fix the release first; for details run "
                f"`helm history {self.release} --namespace {self.namespace}`."
            )
        ours = versions_of(self.chart)
        if found.versions != ours:
            raise StepFailed(
                f"{self.release} was installed with {in_words(found.versions)}, but {self.chart} is "
                f"{in_words(ours)}. It would change the whole mesh, not only the {self.service}. No changes were made. "
                "Check out the installed version, or upgrade the mesh to this chart first (docs/operate/upgrade.md)."
            )
        return found

    def forward(self, tag: str) -> None:
        """Change the tag of one image and keep all other values of the release."""
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
        self.execute([*command, "--namespace", self.namespace])

    def back(self, to: Revision | None) -> None:
        """Roll back to the revision before `forward`, which restores the old pod template, version and address.

        Raises StepFailed if there is a newer revision than ours, because a rollback would undo that change as well.
        """
        newest = self.newest()
        if to and newest and newest.number != to.number + 1:
            raise StepFailed(
                f"Revision {newest.number} of {self.release} was created in the meantime. A rollback would undo it too."
            )
        self.execute(self.rollback(to))

    def rollback(self, to: Revision | None) -> list[str]:
        number = str(to.number) if to else DEPLOYED_REVISION
        return ["helm", "rollback", self.release, number, "--namespace", self.namespace]

    def wait_until_routed(self) -> None:
        """Wait for the condition Ready: Restate routes new invocations to the newest version."""
        self.kubectl("wait", "--for=condition=Ready", f"rsd/{self.service}", f"--timeout={READY_TIMEOUT}")

    def show(self) -> str:
        """Return a table of all versions and their pods."""
        return self.kubectl("get", "replicasets,pods", "--selector", self.selector, "--output", "wide")

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/name={self.service},app.kubernetes.io/instance={self.release}"

    def draining(self) -> list[str]:
        """Return the old versions that still have pods."""
        answer = self.kubectl("get", "replicasets", "--selector", self.selector, "--output", "json")
        items: list[dict[str, Any]] = json.loads(answer)["items"] if answer else []
        with_pods = [item["metadata"]["name"] for item in items if item["spec"].get("replicas")]
        current = self.kubectl(
            "get", f"rsd/{self.service}", "--output", "jsonpath={.status.labelSelector}"
        )  # The selector of the newest version's pods, with its hash.
        return [name for name in with_pods if name.rpartition("-")[2] not in current]

    def wait_until_drained(self, within: timedelta = DRAIN_TIMEOUT) -> None:
        """Raises StepFailed if an invocation is paused or waits for too long; see docs/operate/upgrade.md."""
        deadline = time.monotonic() + within.total_seconds()
        while draining := self.draining():
            if time.monotonic() > deadline:
                raise StepFailed(f"{', '.join(draining)} still has unfinished invocations after {within}.")
            time.sleep(POLL_INTERVAL.total_seconds())

    def kubectl(self, verb: str, *words: str) -> str:
        return self.execute(["kubectl", verb, "--namespace", self.namespace, *words])


def run(command: Sequence[str]) -> str:
    """Run a command and return its output. Raises StepFailed with its error output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StepFailed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise StepFailed(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout


def print_command(command: Sequence[str]) -> str:
    print(f"  {shlex.join(command)}")
    return ""


def versions_of(chart: Path) -> list[str]:
    """Return the versions of a chart in the format of Revision.versions."""
    chart_yaml = yaml.safe_load((chart / "Chart.yaml").read_text())
    return [str(chart_yaml[name]) for name in ("name", "version", "appVersion")]


def in_words(versions: Sequence[str]) -> str:
    name, version, app_version = versions
    return f"{name} {version} (appVersion {app_version})"


@dataclass
class Conversations:
    """Results of conversations that run in several threads. Keeps the first failures and counts all."""

    address: smoke.Mesh
    log: Callable[[str], None] = print
    completed: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def hold(self, stop: threading.Event) -> None:
        """Hold one conversation after the other until `stop` is set. Set it if the token is rejected."""
        while not stop.is_set():
            # A new session for each conversation.
            mesh = smoke.Mesh(self.address.url, self.address.token)
            try:
                smoke.hold_conversation(
                    mesh, time.monotonic() + CONVERSATION_TIMEOUT.total_seconds(), log=lambda _: None
                )
            except smoke.TokenRejected as failure:
                stop.set()
                # Report it immediately, not only after the rollout.
                self.log(f"Stopping the conversations. {failure}")
                self.count_failure(str(failure))
            except smoke.Failed as failure:
                self.count_failure(str(failure))
                stop.wait(PAUSE_AFTER_FAILURE.total_seconds())
            else:
                with self._lock:
                    self.completed += 1

    def count_failure(self, failure: str) -> None:
        with self._lock:
            self.failed += 1
            if len(self.failures) < FAILURES_SHOWN_MAX:
                self.failures.append(failure)


@contextmanager
def hold_conversations(address: smoke.Mesh, concurrency: int) -> Iterator[Conversations]:
    """Hold conversations during the block; at its end, wait for those that have started."""
    conversations, stop = Conversations(address), threading.Event()
    with ThreadPoolExecutor(max(concurrency, 1)) as pool:
        running = [pool.submit(conversations.hold, stop) for _ in range(concurrency)]
        try:
            yield conversations
        finally:
            stop.set()
    for each in running:
        each.result()


def roll(cluster: Cluster, tag: str, log: Callable[[str], None]) -> None:
    """Roll forward, wait until the old version has drained, and roll back. Raises StepFailed with the current state."""
    before = cluster.deployed()
    log(f"Rolling forward to {tag}. New turns use the new version; the old version finishes its own turns.")
    cluster.forward(tag)
    try:
        cluster.wait_until_routed()
        log(cluster.show())
        log("Waiting until the old version has drained.")
        cluster.wait_until_drained()
        log("Rolling back.")
        cluster.back(before)
    except StepFailed as failure:
        back = shlex.join(cluster.rollback(before))
        raise StepFailed(
            f"{failure}\nThe {cluster.service} of {cluster.release} is still on {tag}. Roll it back with `{back}`."
        ) from failure
    cluster.wait_until_routed()
    log(cluster.show())
    cluster.wait_until_drained()
