"""The version is defined in switchboard/version.py; the wheel, the charts and the Dockerfile have the same one."""

import subprocess
import tomllib
from importlib.metadata import version

from switchboard.version import VERSION
from tests.charts.rendering import RELEASES, metadata
from tests.images.dockerfile import read_dockerfile
from tests.parts import PROJECT


def test_wheel_takes_the_version_from_the_package() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["dynamic"] == ["version"]
    assert settings["tool"]["hatch"]["version"] == {"path": "switchboard/version.py"}
    assert version("switchboard-mesh") == VERSION, "Run `make setup`."


def test_charts_have_the_projects_version() -> None:
    assert {chart: metadata(chart)["version"] for chart in RELEASES} == dict.fromkeys(RELEASES, VERSION)
    assert metadata("agent-mesh")["appVersion"] == metadata("mesh-platform")["appVersion"] == VERSION


def test_dockerfile_labels_images_with_the_projects_version() -> None:
    stages = read_dockerfile((PROJECT / "Dockerfile").read_text(encoding="utf-8")).stages
    assert f"VERSION={VERSION}" in [argument.text for argument in stages["service"].all("ARG")]


def test_ci_scripts_read_the_projects_version() -> None:
    command = ["bash", "-c", "source scripts/ci/common.sh && project_version"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == VERSION
