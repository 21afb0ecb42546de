"""The values for agent-mesh that people are shown are values that it takes."""

import re
from pathlib import Path

import pytest
import yaml

from tests.charts.rendering import HELM_DIR, render
from tests.charts.schemas import kubernetes_problems

ROOT = Path(__file__).resolve().parents[2]
FOR_THE_CHART = "# values of agent-mesh"

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)


def shown() -> dict[str, str]:
    """Examples of values: all of the chart's README, and those in docs/ that say they are."""
    found = {
        f"README {n}": text for n, text in enumerate(BLOCK.findall((HELM_DIR / "agent-mesh/README.md").read_text()))
    }
    for path in sorted((ROOT / "docs").glob("*.md")):
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
