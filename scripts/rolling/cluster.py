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

import yaml

from scripts import smoke

CHART = "deploy/helm/agent-mesh"
READY_WITHIN = "15m"
DRAINED_WITHIN = timedelta(minutes=30)
LOOK_EVERY = timedelta(seconds=10)
CONVERSATION_WITHIN = timedelta(minutes=10)

PAUSE_AFTER_FAILURE = timedelta(seconds=5)
FAILURES_KEPT_MAX = 20
"""Of those that are told one by one; all are counted."""

DEPLOYED = "deployed"
DEPLOYED_REVISION = "DEPLOYED_REVISION"
"""Stands for the number where nothing is asked."""


class StepFailed(Exception):
    """A step cannot be taken, did not do what it should, or took too long; the message says which and what to do."""


@dataclass(frozen=True)
class Revision:
    """Of a release, as `helm get metadata` tells it. Versions are [chart's name, its version, its appVersion]."""

    number: int
    status: str
    versions: list[str]


@dataclass(frozen=True)
class Cluster:
    """Where the release is. `do` is given a command; with a dry run it prints it."""

    do: Callable[[Sequence[str]], str]
    release: str = "mesh"
    namespace: str = "mesh"
    service: str = "bank"
    chart: Path = Path(CHART)

    def newest(self) -> Revision | None:
        """The newest revision; None with a dry run."""
        command = ["helm", "get", "metadata", self.release, "--namespace", self.namespace, "--output", "json"]
        answer = self.do(command)
        if not answer:
            return None
        said = json.loads(answer)
        versions = [str(said[name]) for name in ("chart", "version", "appVersion")]
        return Revision(int(said["revision"]), str(said["status"]), versions)

    def deployed(self) -> Revision | None:
        """What to come back to. Raises StepFailed where an upgrade with this chart would change more than one tag."""
        found = self.newest()
        if found is None:
            return None
        if found.status != DEPLOYED:
            raise StepFailed(
                f"Revision {found.number} of {self.release} is {found.status}, so it is none to come back to. Nothing "
                f"was done. Mend it first; `helm history {self.release} --namespace {self.namespace}` says more."
            )
        ours = versions_of(self.chart)
        if found.versions != ours:
            raise StepFailed(
                f"{self.release} was installed with the chart {in_words(found.versions)}, and {self.chart} is "
                f"{in_words(ours)}: it would change the whole mesh, not the {self.service} alone. Nothing was done. "
                "Check out the installed version, or upgrade the mesh to this chart first (docs/operate/upgrade.md)."
            )
        return found

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

    def back(self, to: Revision | None) -> None:
        """To the revision before `forward`: its pod template is the old one, and so are its version and its address.

        Raises StepFailed when there is a revision after ours: going back would undo what somebody else has done.
        """
        newest = self.newest()
        if to and newest and newest.number != to.number + 1:
            raise StepFailed(
                f"Revision {newest.number} of {self.release} was made meanwhile, and going back would undo it, too."
            )
        self.do(self.rollback(to))

    def rollback(self, to: Revision | None) -> list[str]:
        number = str(to.number) if to else DEPLOYED_REVISION
        return ["helm", "rollback", self.release, number, "--namespace", self.namespace]

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
        """Raises StepFailed: something is paused or waits for long; docs/operate/upgrade.md says what to look at."""
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


def versions_of(chart: Path) -> list[str]:
    """As a Revision has them."""
    said = yaml.safe_load((chart / "Chart.yaml").read_text())
    return [str(said[name]) for name in ("name", "version", "appVersion")]


def in_words(versions: Sequence[str]) -> str:
    name, version, app_version = versions
    return f"{name} {version} (appVersion {app_version})"


@dataclass
class Conversations:
    """Conversations held one after the other, several at a time. The first failures are kept, all are counted."""

    address: smoke.Mesh
    say: Callable[[str], None] = print
    held: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def hold(self, enough: threading.Event) -> None:
        """Until it is enough, which it also is when the token is not taken: no other answer would come."""
        while not enough.is_set():
            # Each in a session of its own.
            mesh = smoke.Mesh(self.address.url, self.address.token, self.address.customer)
            try:
                smoke.hold(mesh, time.monotonic() + CONVERSATION_WITHIN.total_seconds(), say=lambda _: None)
            except smoke.NotLetIn as failure:
                enough.set()
                # Now, and not when the roll-out is over.
                self.say(f"No more conversations are held. {failure}")
                self.note(str(failure))
            except smoke.Failed as failure:
                self.note(str(failure))
                enough.wait(PAUSE_AFTER_FAILURE.total_seconds())
            else:
                with self._counting:
                    self.held += 1

    def note(self, failure: str) -> None:
        with self._counting:
            self.failed += 1
            if len(self.failures) < FAILURES_KEPT_MAX:
                self.failures.append(failure)


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
    """Forward, until the old version is drained, and back. Raises StepFailed, which says where the release then is."""
    before = cluster.deployed()
    say(f"Forward to {tag}: new turns take the new version, the old one finishes its own.")
    cluster.forward(tag)
    try:
        cluster.wait_until_routed()
        say(cluster.show())
        say("Until the old version has nothing unfinished.")
        cluster.wait_until_drained()
        say("Back.")
        cluster.back(before)
    except StepFailed as failure:
        back = shlex.join(cluster.rollback(before))
        raise StepFailed(
            f"{failure}\n{cluster.release} is still on {tag} for the {cluster.service}; `{back}` takes it back."
        ) from failure
    cluster.wait_until_routed()
    say(cluster.show())
    cluster.wait_until_drained()
