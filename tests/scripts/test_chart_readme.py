"""The table of values in each chart's README is built from the comments in values.yaml."""

from pathlib import Path

import pytest

from scripts.chart_readme import charts, documented, table, undocumented, updated_readme

VALUES = """\
# A note about the file.

# -- Number of pods,
# at least one.
replicas: 1
image:
  # A remark.
  # -- Never `latest`.
  tag: "1.0"
  digest: ""
# -- Resources of the pod.
resources:
  limits: {memory: 1Gi}
"""


def test_comment_becomes_description_of_value_below_it() -> None:
    found = {value.key: (value.default, value.description) for value in documented(VALUES)}
    assert found == {
        "replicas": (1, "Number of pods, at least one."),
        "image.tag": ("1.0", "Never `latest`."),
        "resources": ({"limits": {"memory": "1Gi"}}, "Resources of the pod."),
    }


def test_table_has_the_columns_of_helm_docs(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("version: 0.1.0\nkubeVersion: '>=1.28.0-0'\n")
    (tmp_path / "values.yaml").write_text(VALUES)
    assert table(tmp_path).splitlines() == [
        "Chart version 0.1.0. Requires Kubernetes >=1.28.0.",
        "",
        "| Key | Type | Default | Description |",
        "|-----|------|---------|-------------|",
        "| replicas | int | `1` | Number of pods, at least one. |",
        '| image.tag | string | `"1.0"` | Never `latest`. |',
        '| resources | object | `{"limits": {"memory": "1Gi"}}` | Resources of the pod. |',
    ]


def test_value_without_description_is_reported() -> None:
    assert undocumented(VALUES) == ["image.digest"]


def test_readme_without_place_for_the_table_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A chart\n")
    with pytest.raises(ValueError, match="no place for the table of values"):
        updated_readme(tmp_path)


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_every_value_has_a_description(chart: Path) -> None:
    assert undocumented((chart / "values.yaml").read_text()) == []


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_readme_matches_values(chart: Path) -> None:
    assert updated_readme(chart) == (chart / "README.md").read_text(), "Run `make charts`."
