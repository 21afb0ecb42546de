"""The values for agent-mesh that people are shown are values that it takes."""

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
MADE_UP = re.compile("…|=\\.\\.\\.$")

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)


def shown() -> dict[str, str]:
    """Examples of values: all of the chart's README, and those in docs/ that say they are."""
    found = {
        f"README {n}": text for n, text in enumerate(BLOCK.findall((HELM_DIR / "agent-mesh/README.md").read_text()))
    }
    for path in sorted((ROOT / "docs").rglob("*.md")):
        blocks = [text for text in BLOCK.findall(path.read_text()) if text.startswith(FOR_THE_CHART)]
        found |= {f"{path.stem} {n}": text for n, text in enumerate(blocks)}
    return found


@pytest.mark.parametrize("where", shown())
def test_an_example_of_values_renders_to_what_kubernetes_takes(where: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(shown()[where])
    assert yaml.safe_load(shown()[where])
    manifests = render("agent-mesh", values)
    assert [problem for each in manifests for problem in kubernetes_problems(each, "1.34")] == []


def test_there_are_examples() -> None:
    assert any(where.startswith("README") for where in shown())


def settings() -> set[tuple[str, str, str]]:
    """(chart, flag, setting) of every `--set` that a page shows, but those whose value the reader has to fill in."""
    pages = [*(ROOT / "docs").rglob("*.md"), *HELM_DIR.glob("*/README.md"), ROOT / "README.md"]
    found = {each for page in pages for each in SETTING.findall(page.read_text())}
    split = [(flag, setting.strip("'")) for flag, _, setting in (each.partition(" ") for each in found)]
    return {(chart_of(setting), flag, setting) for flag, setting in split if not MADE_UP.search(setting)}


def chart_of(setting: str) -> str:
    """The chart whose values have the first two words of a setting's path."""
    first, *rest = setting.partition("=")[0].split(".")
    for chart in ("agent-mesh", "mesh-platform"):
        known = values(chart)
        if first in known and (not rest or rest[0] in known[first]):
            return chart
    raise AssertionError(f"no chart has the value {setting}")


@pytest.mark.parametrize(("chart", "flag", "setting"), sorted(settings()))
def test_a_setting_that_a_page_shows_is_taken_as_it_stands_there(chart: str, flag: str, setting: str) -> None:
    with rendered_from(chart) as folder:
        done = helm("template", "release", str(folder), *given(folder, (), None), flag, setting)
    assert done.returncode == 0, done.stderr


def test_there_are_settings() -> None:
    assert ("agent-mesh", "--set-string", "secretsRevision=2") in settings()


def test_the_page_on_images_builds_every_image_that_the_chart_runs() -> None:
    [loop] = re.findall(r"^for service in (.*); do$", (ROOT / "docs/operate/images.md").read_text(), re.M)
    built = {f"switchboard-{service.replace('_', '-')}" for service in loop.split()}
    pods = pod_templates(render("agent-mesh"))
    images = {container["image"] for pod in pods for container in containers(pod.spec)}
    assert built == {image.rpartition("/")[2].partition(":")[0] for image in images}
