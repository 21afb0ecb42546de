"""Images that others publish have a digest, or decision 13 says why not. Charts are locked to exact versions."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from switchboard.version import VERSION
from tests.charts.rendering import HELM_DIR, REGISTRY, has_dependencies, helm, metadata, render, values
from tests.parts import PROJECT, need_helm

DECISION = PROJECT / "docs" / "decisions" / "0013-digests.md"
WITH_DEPENDENCIES = ("mesh-operator", "mesh-platform")

REASON = re.compile(r"^\| `(?P<image>[\w./-]+)` \| [^|]+ \| (?P<why>[^|]+) \|$", re.M)
FROM = re.compile(r"^(?:ARG BASE=|FROM )(?P<image>[\w.:/@-]+)", re.M)

SETUID = re.compile(r"find / (?P<expression>.*?) \{\} \+")


def excused() -> set[str]:
    return {match["image"] for match in REASON.finditer(DECISION.read_text())}


def third_party_images() -> set[str]:
    """Return the images in the Dockerfile and in the charts, without tag and digest, except those of this project."""
    found = {match["image"] for match in FROM.finditer((PROJECT / "Dockerfile").read_text()) if "/" in match["image"]}
    for chart in ("agent-mesh", *WITH_DEPENDENCIES):
        manifests = render(chart, dependencies=has_dependencies(chart))
        objects = [each for each in manifests if each["kind"] != "CustomResourceDefinition"]
        found |= {*re.findall(r'"image": "([^"]+)"', json.dumps(objects))}
    return {image for image in found if not image.startswith(REGISTRY) and "@sha256:" not in image}


def name_of(image: str) -> str:
    return re.sub(r":[^/:]+$", "", image)


def test_image_without_a_digest_has_a_reason() -> None:
    names = {name_of(image) for image in third_party_images()}
    assert {"docker.io/library/python", "docker.io/restatedev/restate"} <= names
    assert names <= excused()


def test_image_in_the_charts_values_has_a_reason() -> None:
    """Also where the charts that name them are not downloaded."""
    collector = values("mesh-platform")["opentelemetry-collector"]["image"]
    assert collector["digest"] or collector["repository"] in excused()


@pytest.mark.parametrize("chart", WITH_DEPENDENCIES)
def test_lock_file_fits_the_charts_dependencies(chart: str) -> None:
    lock = yaml.safe_load((HELM_DIR / chart / "Chart.lock").read_text())
    wanted = [{key: each[key] for key in ("name", "repository", "version")} for each in dependencies(chart)]
    assert lock["dependencies"] == wanted
    assert lock["digest"] == lock_digest(dependencies(chart), wanted)


def dependencies(chart: str) -> list[dict[str, Any]]:
    return list(metadata(chart)["dependencies"])


def lock_digest(requested: list[dict[str, Any]], locked: list[dict[str, Any]]) -> str:
    """Return helm's digest of a lock file: of both lists as compact JSON, in the order of its fields."""
    order = ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
    lists = [[{key: each[key] for key in order if key in each} for each in group] for group in (requested, locked)]
    return "sha256:" + hashlib.sha256(json.dumps(lists, separators=(",", ":")).encode()).hexdigest()


@pytest.mark.parametrize("chart", ["agent-mesh", *WITH_DEPENDENCIES])
def test_chart_says_where_it_comes_from(chart: str) -> None:
    about = metadata(chart)
    assert {"maintainers", "keywords", "annotations"} <= about.keys()
    assert about["annotations"]["artifacthub.io/license"] == "Apache-2.0"
    assert not {"home", "sources", "icon"} & about.keys(), "the repository does not know its own address"


def test_packaged_chart_names_the_repository_that_publishes_it(tmp_path: Path) -> None:
    url = "https://git.example.org/team/switchboard"
    environment = {**os.environ, "DIST": str(tmp_path), "REPOSITORY_URL": url, "HELM": need_helm()}
    command = ["scripts/ci/charts.sh", "agent-mesh"]
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True)
    [package] = (tmp_path / "charts").glob("*.tgz")
    about = yaml.safe_load(helm("show", "chart", str(package)).stdout)
    assert (about["home"], about["sources"]) == (url, [url])
    tag, _, path = about["icon"].removeprefix(f"{url}/raw/").partition("/")
    assert tag == f"v{VERSION}"
    assert (PROJECT / path).is_file()


def test_digest_is_the_one_that_helm_computes(tmp_path: Path) -> None:
    """With a chart on this machine, so that helm needs no network."""
    for name in ("inner", "outer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    needed = [{"name": "inner", "version": "1.0.0", "repository": "file://../inner", "condition": "inner.enabled"}]
    about = yaml.safe_load((tmp_path / "outer/Chart.yaml").read_text())
    (tmp_path / "outer/Chart.yaml").write_text(yaml.safe_dump({**about, "dependencies": needed}))
    done = helm("dependency", "update", str(tmp_path / "outer"), "--skip-refresh")
    assert done.returncode == 0, done.stderr
    lock = yaml.safe_load((tmp_path / "outer/Chart.lock").read_text())
    assert lock["digest"] == lock_digest(needed, lock["dependencies"])


def test_image_has_no_files_that_change_the_user(tmp_path: Path) -> None:
    """The Dockerfile's own command, on a folder in place of the image's file system."""
    runtime = (PROJECT / "Dockerfile").read_text().partition(" AS runtime")[2].partition("\nFROM ")[0]
    match = SETUID.search(runtime)
    assert match
    for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("plain", 0o755)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    subprocess.run(f"find {tmp_path} {match['expression']} {{}} +", shell=True, check=True)
    assert {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.iterdir()} == {
        "setuid": 0o755,
        "setgid": 0o755,
        "plain": 0o755,
    }
    later = (PROJECT / "Dockerfile").read_text().partition(" AS runtime")[2].partition("\nFROM ")[2]
    assert "RUN" not in re.findall(r"^[A-Z]+", later, re.M), "a later layer could add such a file"
