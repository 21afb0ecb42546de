"""Build a Kubernetes control plane from its Go modules: etcd, kube-apiserver, kube-controller-manager and kubectl.

python -m scripts.kubernetes FOLDER

Needs Go and takes about ten minutes of two cores. With KUBERNETES_DIR=FOLDER, tests/charts/test_control_plane.py
installs the charts on it. It runs no pods: there is no kubelet.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# renovate: datasource=github-releases depName=kubernetes/kubernetes
KUBERNETES = "1.33.13"
ETCD = "3.5.21"
"""The version that this version of Kubernetes requires."""

PROGRAMS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "etcd": "go.etcd.io/etcd/server/v3",
}

STAGING = re.compile(r"^\s*(k8s\.io/[\w-]+) => \./staging/", re.M)
"""Modules that Kubernetes' repository contains. In the module, these lines name folders that it lacks."""

BUILD_TIMEOUT_SECONDS = 3600

NICE = 10
"""The build is long, and a person wants to use the machine meanwhile."""


class Failed(Exception):
    """Says which command failed, and how."""


def go(*arguments: str, folder: Path) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    try:
        done = subprocess.run(
            ["nice", "-n", str(NICE), "go", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_TIMEOUT_SECONDS,
        )
    except OSError as error:
        raise Failed(f"{error.filename} cannot be run ({error.strerror}).") from error
    if done.returncode:
        raise Failed(f"`go {' '.join(arguments)}` failed:\n{done.stderr.strip()}")
    return done.stdout


def module(requirements: str) -> str:
    """Return the go.mod of a module that can build Kubernetes, from the go.mod of Kubernetes."""
    minor, patch = KUBERNETES.split(".")[1:]
    staging = [f"\t{name} => {name} v0.{minor}.{patch}" for name in STAGING.findall(requirements)]
    settings = re.findall(r"^(?:go|godebug) .*$", requirements, re.M)
    needs = [f"require k8s.io/kubernetes v{KUBERNETES}", f"require go.etcd.io/etcd/server/v3 v{ETCD}"]
    return "\n".join(["module control-plane", *settings, *needs, "replace (", *staging, ")", ""])


def flags() -> list[str]:
    """Return build flags. Without a version, clients cannot tell which API the server has."""
    major, minor, _ = KUBERNETES.split(".")
    version = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    settings = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in version.items())
    return ["-trimpath", f"-ldflags=-s -w {settings}"]


def build(target: Path, programs: Sequence[str] = tuple(PROGRAMS)) -> None:
    """Build the programs that the folder lacks."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kubernetes-") as name:
        folder = Path(name)
        about = json.loads(go("mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}", folder=folder))
        (folder / "go.mod").write_text(module(Path(about["GoMod"]).read_text()))
        for program in programs:
            if (target / program).exists():
                continue
            print(f"Building {program} ...", flush=True)
            go("build", *flags(), "-o", str(folder / program), PROGRAMS[program], folder=folder)
            (folder / program).replace(target / program)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.kubernetes", description="Build a control plane with Go.")
    parser.add_argument("folder", type=Path, help="where the programs go")
    folder = parser.parse_args().folder.resolve()
    try:
        build(folder)
    except Failed as problem:
        sys.exit(str(problem))
    print(f"Run the tests with KUBERNETES_DIR={folder}.")


if __name__ == "__main__":
    main()
