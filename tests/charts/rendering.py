"""Render our charts with the real helm, without a network."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.parts import need_helm

Manifest = dict[str, Any]
Settings = Mapping[str, object]
"""Values by path, as in `--set-json`: {"restate.replicas": 3}. Escape a dot in a key as `\\.`."""

HELM_DIR = Path(__file__).resolve().parents[2] / "deploy" / "helm"
FETCHED_CHARTS = "HELM_CHARTS_DIR"
"""Environment variable with a folder of third-party charts (folders or .tgz), which are then rendered as well."""

NAMESPACES = {"mesh-operator": "restate-operator", "mesh-platform": "mesh-platform", "agent-mesh": "mesh"}
RELEASES = {"mesh-operator": "mesh-operator", "mesh-platform": "mesh-platform", "agent-mesh": "mesh"}

HELM_TIMEOUT_SECONDS = 180


def documents(text: str) -> list[Any]:
    """Return the documents of a YAML text. On libyaml: `yaml.safe_load_all` takes longer for a chart than helm does."""
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def load_all(text: str) -> list[Any]:
    """Return the documents that are not empty."""
    return [each for each in documents(text) if each]


def load(text: str) -> Any:
    """Return the only document of a YAML text."""
    (document,) = documents(text)
    return document


class NeededSecret(NamedTuple):
    """A Secret that a chart needs if there is no cluster, because it could not keep a key that it created."""

    path: str
    """A test that sets a value below this path decides itself."""

    words: tuple[str, ...]
    """Words by which a values file decides."""

    settings: Settings


WITHOUT_CLUSTER: dict[str, tuple[NeededSecret, ...]] = {
    "agent-mesh": (
        NeededSecret("gateway.auth", ("jwksUrl:", "auth:"), {"gateway.auth.existingSecret": "customers-tokens"}),
        NeededSecret("speakerKeys", ("speakerKeys: {",), {"speakerKeys.existingSecret": "speaker-keys-1"}),
    ),
    "mesh-platform": (
        NeededSecret(
            "restate.requestSigning",
            ("requestSigning:",),
            {"restate.requestSigning.existingSecret": "request-signing-1"},
        ),
    ),
}

REGISTRY = "registry.example.org/switchboard"

DIGEST = "sha256:" + "d" * 64

IN_PRODUCTION: dict[str, Settings] = {
    "agent-mesh": {
        "restate.identityKey": "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f",
        **{f"services.{name}.image.digest": DIGEST for name in ("triage", "bank", "airline", "tools")},
        "gateway.image.digest": DIGEST,
    },
    "mesh-platform": {
        "restate.image.digest": DIGEST,
        "opentelemetry-collector.image.digest": DIGEST,
        "jaeger.jaeger.image.digest": DIGEST,
    },
}
"""Values that `production: true` requires and that no values file in the repository can have."""


def metadata(chart: str) -> dict[str, Any]:
    """Return the chart's Chart.yaml."""
    read: dict[str, Any] = load((HELM_DIR / chart / "Chart.yaml").read_text())
    return read


def values(chart: str) -> dict[str, Any]:
    """Return the chart's values.yaml."""
    read: dict[str, Any] = load((HELM_DIR / chart / "values.yaml").read_text())
    return read


def values_files(chart: str) -> list[str]:
    """Return the names of the values files beside a chart's values.yaml: ["values-ha.yaml", ...]."""
    return sorted(path.name for path in (HELM_DIR / chart).glob("values-*.yaml"))


def fetched(chart: str, dependency: Mapping[str, Any]) -> Path | None:
    """Return the path of a downloaded dependency, a folder or a package; None if it is missing."""
    name, version = dependency["name"], dependency["version"]
    folders = [HELM_DIR / chart / "charts", Path(os.environ.get(FETCHED_CHARTS) or HELM_DIR / chart / "charts")]
    candidates = [folder / leaf for folder in folders for leaf in (f"{name}-{version}.tgz", name)]
    return next((path for path in candidates if path.exists()), None)


def has_dependencies(chart: str) -> bool:
    """Return whether all dependencies of the chart have been downloaded."""
    return all(fetched(chart, each) for each in metadata(chart).get("dependencies", []))


@contextmanager
def rendered_from(chart: str, *, dependencies: bool = True) -> Iterator[Path]:
    """Yield a copy of the chart that helm can render here, without dependencies that are not downloaded."""
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
    """Run helm without a cluster and without the user's helm configuration."""
    with tempfile.TemporaryDirectory(prefix="helm-") as home:
        isolated = {
            # It ends before it would have to collect garbage.
            "GOGC": "off",
            "HELM_CONFIG_HOME": home,
            "HELM_CACHE_HOME": home,
            "HELM_DATA_HOME": home,
            "KUBECONFIG": f"{home}/none",
        }
        return subprocess.run(
            [need_helm(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=HELM_TIMEOUT_SECONDS,
            env={**os.environ, **isolated},
        )


def template(
    chart: str,
    *files: str | Path,
    set: Settings | None = None,  # noqa: A002 -- helm's own name
    api_versions: Iterable[str] = (),
    kube_version: str | None = None,
    dependencies: bool = True,
    release: str | None = None,
    namespace: str | None = None,
    notes: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `helm template`. Values files are names beside the chart's values.yaml, or paths.

    The same is rendered once, because no test changes the charts.
    """
    texts = tuple(Path(each).read_text() if Path(each).is_absolute() else "" for each in files)
    options = [word for version in api_versions for word in ("--api-versions", version)]
    options += ["--kube-version", kube_version] if kube_version else []
    options += ["--namespace", namespace or NAMESPACES[chart]]
    settings = json.dumps(set or {})
    return _template(chart, files, texts, settings, dependencies, release or RELEASES[chart], tuple(options), notes)


@cache
def _template(
    chart: str,
    files: tuple[str | Path, ...],
    texts: tuple[str, ...],
    settings: str,
    dependencies: bool,
    release: str,
    options: tuple[str, ...],
    notes: bool,
) -> subprocess.CompletedProcess[str]:
    with rendered_from(chart, dependencies=dependencies) as folder:
        arguments = ["template", release, str(folder), *given(folder, files, json.loads(settings)), *options]
        if notes:
            arguments += ["--show-only", notes_as_a_manifest(folder)]
        return helm(*arguments)


def given(
    chart: Path,
    files: Iterable[str | Path],
    set: Settings | None,  # noqa: A002 -- helm's own name
    *,
    cluster: bool = False,
) -> list[str]:
    """Return helm's arguments for values files and settings."""
    paths = [each if Path(each).is_absolute() else chart / each for each in files]
    needed = {} if cluster else without_cluster(chart.name, paths, set)
    values = {**registry_of(chart.name, paths, set), **needed, **(set or {})}
    if any("production: true" in Path(file).read_text() for file in paths):
        values = {**IN_PRODUCTION[chart.name], **values}
    settings = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    return [f"--values={path}" for path in paths] + [f"--set-json={each}" for each in settings]


def registry_of(chart: str, files: Iterable[str | Path], set: Settings | None) -> Settings:  # noqa: A002 -- helm's own name
    """Return the registry of our images, which has no default, unless the test or a values file names one."""
    decided = {"image", "image.registry"} & (set or {}).keys() or any(
        "registry:" in Path(file).read_text() for file in files
    )
    return {} if decided or chart != "agent-mesh" else {"image.registry": REGISTRY}


def without_cluster(chart: str, files: Iterable[str | Path], set: Settings | None) -> Settings:  # noqa: A002 -- helm's own name
    """Return the values that stand for existing Secrets, unless the test or a values file decides about them."""
    texts = [Path(file).read_text() for file in files]
    found: dict[str, object] = {}
    for needed in WITHOUT_CLUSTER.get(chart, ()):
        decided = any(key.startswith(needed.path) or needed.path.startswith(f"{key}.") for key in set or {})
        if not decided and not any(word in text for word in needed.words for text in texts):
            found |= needed.settings
    return found


def notes_as_a_manifest(chart: Path) -> str:
    """Copy NOTES.txt into a template, so that `helm template` prints it. Helm shows notes only with a cluster."""
    text = (chart / "templates" / "NOTES.txt").read_text()
    (chart / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}")
    (chart / "templates" / "notes.yaml").write_text('{"kind": "Notes", "text": {{ include "notes" . | toJson }}}')
    return "templates/notes.yaml"


def render(
    chart: str,
    *files: str | Path,
    set: Settings | None = None,  # noqa: A002 -- helm's own name
    api_versions: Iterable[str] = (),
    kube_version: str | None = None,
    dependencies: bool = True,
    release: str | None = None,
    namespace: str | None = None,
) -> list[Manifest]:
    """Return all objects that helm would send to a cluster, including hooks and tests, in helm's order."""
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
    return load_all(done.stdout)


def refused(chart: str, *files: str | Path, set: Settings | None = None) -> str:  # noqa: A002 -- helm's own name
    """Return helm's error message. Fails if helm accepts the values."""
    done = template(chart, *files, set=set)
    assert done.returncode != 0, f"helm accepts {dict(set or {})}"
    return done.stderr


def notes(chart: str, *files: str | Path, set: Settings | None = None) -> str:  # noqa: A002 -- helm's own name
    """Return the chart's NOTES.txt as `helm install` prints it."""
    done = template(chart, *files, set=set, notes=True)
    assert done.returncode == 0, done.stderr
    return str(load(done.stdout)["text"])


def lint(chart: str, *files: str | Path, set: Settings | None = None) -> str:  # noqa: A002 -- helm's own name
    """Return the findings of `helm lint --strict`, or the empty string."""
    with rendered_from(chart) as folder:
        done = helm("lint", str(folder), "--strict", "--quiet", *given(folder, files, set))
        return "" if done.returncode == 0 else done.stdout + done.stderr


def of_kind(manifests: Iterable[Manifest], kind: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def one(manifests: Iterable[Manifest], kind: str, name: str | None = None) -> Manifest:
    """Return the only object of a kind, or the one with that name."""
    found = [each for each in of_kind(manifests, kind) if name is None or each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} {kind} {name or ''}"
    return found[0]


def named(manifest: Manifest) -> str:
    """Return kind and name, such as `Deployment/gateway`, for messages and ids."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"
