"""Each chart renders the same objects as the golden files in the repository, so every change is reviewed."""

import pytest

from tests.charts.golden import FOLDER, Golden, goldens


@pytest.mark.parametrize("golden", [*goldens()], ids=lambda golden: golden.path.stem)
def test_chart_renders_the_golden_file(golden: Golden) -> None:
    assert golden.path.exists(), "Run `make golden`."
    assert golden.text() == golden.path.read_text(), "Run `make golden` if the change is intended."


def test_every_golden_file_belongs_to_a_values_file() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {golden.path.name for golden in goldens()}
