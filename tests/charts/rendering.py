"""Renders our charts by the real helm, without a network: what it would send to a cluster, or what it refuses."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.parts import need_helm

Manifest = dict[str, Any]
Settings = Mapping[str, object]
"""Values by their path, as `--set-json` takes them: {"restate.replicas": 3}. A dot inside of a key is `\\.`."""

HELM_DIR = Path(__file__).resolve().parents[2] / "deploy" / "helm"
FETCHED_CHARTS = "HELM_CHARTS_DIR"
"""Names a folder with charts that other people keep (folders or .tgz), which are then rendered with ours."""

NAMESPACES = {"mesh-operator": "restate-operator", "mesh-platform": "mesh-platform", "agent-mesh": "mesh"}
RELEASES = {"mesh-operator": "mesh-operator", "mesh-platform": "mesh-platform", "agent-mesh": "mesh"}

HELM_TIMEOUT_SECONDS = 60


def metadata(chart: str) -> dict[str, Any]:
    """The chart's Chart.yaml."""
    read: dict[str, Any] = yaml.safe_load((HELM_DIR / chart / "Chart.yaml").read_text())
    return read


def values(chart: str) -> dict[str, Any]:
    """The chart's values.yaml."""
    read: dict[str, Any] = yaml.safe_load((HELM_DIR / chart / "values.yaml").read_text())
    return read


def values_files(chart: str) -> list[str]:
    """The names of the values files that lie beside a chart's values.yaml: ["values-ha.yaml", ...]."""
    return sorted(path.name for path in (HELM_DIR / chart).glob("values-*.yaml"))


def fetched(chart: str, dependency: Mapping[str, Any]) -> Path | None:
    """Where a dependency lies, as a folder or as a package, when somebody has fetched it."""
    name, version = dependency["name"], dependency["version"]
    folders = [HELM_DIR / chart / "charts", Path(os.environ.get(FETCHED_CHARTS) or HELM_DIR / chart / "charts")]
    candidates = [folder / leaf for folder in folders for leaf in (f"{name}-{version}.tgz", name)]
    return next((path for path in candidates if path.exists()), None)


def has_dependencies(chart: str) -> bool:
    """Whether all that the chart depends on has been fetched."""
    return all(fetched(chart, each) for each in metadata(chart).get("dependencies", []))


@contextmanager
def rendered_from(chart: str, *, dependencies: bool = True) -> Iterator[Path]:
    """A folder with the chart as helm can render it here: dependencies nobody has fetched are not in it."""
    with tempfile.TemporaryDirectory(prefix="chart-") as folder:
        copy = Path(folder) / chart
        shutil.copytree(HELM_DIR / chart, copy, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
        about = metadata(chart)
        kept = [each for each in about.get("dependencies", []) if dependencies and fetched(chart, each)]
        (copy / "Chart.yaml").write_text(yaml.safe_dump({**about, "dependencies": kept}))
        for each in kept:
            bring(fetched(chart, each), copy / "charts")
        yield copy


def bring(source: Path | None, charts: Path) -> None:
    assert source is not None
    charts.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, charts / source.name)
    else:
        shutil.copy(source, charts)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm, away from any cluster and from the configuration of whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="helm-") as home:
        away = {"HELM_CONFIG_HOME": home, "HELM_CACHE_HOME": home, "HELM_DATA_HOME": home, "KUBECONFIG": f"{home}/none"}
        return subprocess.run(
            [need_helm(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=HELM_TIMEOUT_SECONDS,
            env={**os.environ, **away},
        )


def template(
    chart: str,
    *files: str | Path,
    set: Settings | None = None,  # noqa: A002 -- helm's own word
    api_versions: Iterable[str] = (),
    kube_version: str | None = None,
    dependencies: bool = True,
    release: str | None = None,
    namespace: str | None = None,
    notes: bool = False,
) -> subprocess.CompletedProcess[str]:
    """What `helm template` says. Values files are names beside the chart's values.yaml, or paths."""
    with rendered_from(chart, dependencies=dependencies) as folder:
        arguments = ["template", release or RELEASES[chart], str(folder), *given(folder, files, set)]
        arguments += ["--namespace", namespace or NAMESPACES[chart]]
        for version in api_versions:
            arguments += ["--api-versions", version]
        if kube_version:
            arguments += ["--kube-version", kube_version]
        if notes:
            arguments += ["--show-only", notes_as_a_manifest(folder)]
        return helm(*arguments)


def given(chart: Path, files: Iterable[str | Path], set: Settings | None) -> list[str]:  # noqa: A002 -- helm's own word
    """The arguments that hand values to helm."""
    paths = [each if Path(each).is_absolute() else chart / each for each in files]
    settings = [f"{key}={json.dumps(value)}" for key, value in (set or {}).items()]
    return [f"--values={path}" for path in paths] + [f"--set-json={each}" for each in settings]


def notes_as_a_manifest(chart: Path) -> str:
    """Put the chart's NOTES.txt where `helm template` prints it: without a cluster helm shows no notes."""
    text = (chart / "templates" / "NOTES.txt").read_text()
    (chart / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}")
    (chart / "templates" / "notes.yaml").write_text('{"kind": "Notes", "text": {{ include "notes" . | toJson }}}')
    return "templates/notes.yaml"


def render(
    chart: str,
    *files: str | Path,
    set: Settings | None = None,  # noqa: A002 -- helm's own word
    api_versions: Iterable[str] = (),
    kube_version: str | None = None,
    dependencies: bool = True,
    release: str | None = None,
    namespace: str | None = None,
) -> list[Manifest]:
    """All objects that helm would send to a cluster, hooks and tests as well, in its order."""
    done = template(
        chart,
        *files,
        set=set,
        api_versions=api_versions,
        kube_version=kube_version,
        dependencies=dependencies,
        release=release,
        namespace=namespace,
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def refused(chart: str, *files: str | Path, set: Settings | None = None) -> str:  # noqa: A002 -- helm's own word
    """What helm says when it refuses; it is an error if it does not."""
    done = template(chart, *files, set=set)
    assert done.returncode != 0, f"helm takes {dict(set or {})}"
    return done.stderr


def notes(chart: str, *files: str | Path, set: Settings | None = None) -> str:  # noqa: A002 -- helm's own word
    """The chart's NOTES.txt, as `helm install` prints it."""
    done = template(chart, *files, set=set, notes=True)
    assert done.returncode == 0, done.stderr
    return str(yaml.safe_load(done.stdout)["text"])


def lint(chart: str, *files: str | Path, set: Settings | None = None) -> str:  # noqa: A002 -- helm's own word
    """What `helm lint --strict` complains of; nothing is the empty string."""
    with rendered_from(chart) as folder:
        done = helm("lint", str(folder), "--strict", "--quiet", *given(folder, files, set))
        return "" if done.returncode == 0 else done.stdout + done.stderr


def of_kind(manifests: Iterable[Manifest], kind: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def one(manifests: Iterable[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The only object of a kind, or the one with that name."""
    found = [each for each in of_kind(manifests, kind) if name is None or each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} {kind} {name or ''}"
    return found[0]


def named(manifest: Manifest) -> str:
    """`Deployment/gateway`: for messages and ids."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"
