"""The chart accepts the values that the docs and READMEs show."""

import re
from pathlib import Path

import pytest
import yaml

from tests.charts.pods import containers, pod_templates
from tests.charts.rendering import HELM_DIR, given, helm, render, rendered_from, values
from tests.charts.schemas import kubernetes_problems

ROOT = Path(__file__).resolve().parents[2]
FOR_THE_CHART = "# values of agent-mesh"

SETTING = re.compile(r"--set(?:-string)? (?:'[^']+'|[^\s`']+)")
PLACEHOLDER = re.compile("…|=\\.\\.\\.$")

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)


def examples() -> dict[str, str]:
    """Return the YAML examples in the chart's README, and those in docs/ that start with FOR_THE_CHART."""
    found = {
        f"README {n}": text for n, text in enumerate(BLOCK.findall((HELM_DIR / "agent-mesh/README.md").read_text()))
    }
    for path in sorted((ROOT / "docs").rglob("*.md")):
        blocks = [text for text in BLOCK.findall(path.read_text()) if text.startswith(FOR_THE_CHART)]
        found |= {f"{path.stem} {n}": text for n, text in enumerate(blocks)}
    return found


@pytest.mark.parametrize("where", examples())
def test_example_values_render_valid_objects(where: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(examples()[where])
    assert yaml.safe_load(examples()[where])
    manifests = render("agent-mesh", values)
    assert [problem for each in manifests for problem in kubernetes_problems(each, "1.34")] == []


def test_examples_are_found() -> None:
    assert any(where.startswith("README") for where in examples())


def settings() -> set[tuple[str, str, str]]:
    """Return (chart, flag, setting) of every `--set` in the docs, except those with a placeholder as value."""
    pages = [*(ROOT / "docs").rglob("*.md"), *HELM_DIR.glob("*/README.md"), ROOT / "README.md"]
    found = {each for page in pages for each in SETTING.findall(page.read_text())}
    split = [(flag, setting.strip("'")) for flag, _, setting in (each.partition(" ") for each in found)]
    return {(chart_of(setting), flag, setting) for flag, setting in split if not PLACEHOLDER.search(setting)}


def chart_of(setting: str) -> str:
    """Return the chart whose values contain the first two parts of a setting's path."""
    first, *rest = setting.partition("=")[0].split(".")
    for chart in ("agent-mesh", "mesh-platform"):
        known = values(chart)
        if first in known and (not rest or rest[0] in known[first]):
            return chart
    raise AssertionError(f"no chart has a value for {setting}")


@pytest.mark.parametrize(("chart", "flag", "setting"), sorted(settings()))
def test_documented_setting_is_accepted_verbatim(chart: str, flag: str, setting: str) -> None:
    with rendered_from(chart) as folder:
        done = helm("template", "release", str(folder), *given(folder, (), None), flag, setting)
    assert done.returncode == 0, done.stderr


def test_settings_are_found() -> None:
    assert ("agent-mesh", "--set-string", "secretsRevision=2") in settings()


def test_images_page_builds_every_image_of_the_chart() -> None:
    [loop] = re.findall(r"^for service in (.*); do$", (ROOT / "docs/operate/images.md").read_text(), re.M)
    built = {f"switchboard-{service.replace('_', '-')}" for service in loop.split()}
    pods = pod_templates(render("agent-mesh"))
    images = {container["image"] for pod in pods for container in containers(pod.spec)}
    assert built == {image.rpartition("/")[2].partition(":")[0] for image in images}
