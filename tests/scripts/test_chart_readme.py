"""The charts' READMEs say what their values.yaml say; and how their table is made of its comments."""

from pathlib import Path

import pytest

from scripts.chart_readme import charts, documented, renewed, undocumented

VALUES = """\
# A note about the file.

# -- How many,
# at least one.
replicas: 1
image:
  # A remark.
  # -- Never `latest`.
  tag: "1.0"
  digest: ""
# -- Of the pod.
resources:
  limits: {memory: 1Gi}
"""


def test_a_comment_becomes_the_meaning_of_the_value_below_it() -> None:
    found = {value.path: (value.default, value.meaning) for value in documented(VALUES)}
    assert found == {
        "replicas": (1, "How many, at least one."),
        "image.tag": ("1.0", "Never `latest`."),
        "resources": ({"limits": {"memory": "1Gi"}}, "Of the pod."),
    }


def test_a_value_that_nothing_is_said_of_is_found() -> None:
    assert undocumented(VALUES) == ["image.digest"]


def test_a_readme_without_a_place_for_the_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A chart\n")
    with pytest.raises(ValueError, match="needs the lines"):
        renewed(tmp_path)


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_each_value_is_explained(chart: Path) -> None:
    assert undocumented((chart / "values.yaml").read_text()) == []


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.name)
def test_readme_and_values_agree(chart: Path) -> None:
    assert renewed(chart) == (chart / "README.md").read_text(), "`make charts` writes it"
