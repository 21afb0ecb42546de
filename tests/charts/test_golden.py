"""What a chart renders changes only when somebody means it: each render is compared with the one in the repository."""

import pytest

from tests.charts.golden import FOLDER, Golden, goldens


@pytest.mark.parametrize("golden", [*goldens()], ids=lambda golden: golden.path.stem)
def test_a_chart_renders_what_was_reviewed(golden: Golden) -> None:
    assert golden.path.exists(), "`make golden` writes it"
    assert golden.text() == golden.path.read_text(), "`make golden` renews it, if the difference is meant"


def test_no_golden_render_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {golden.path.name for golden in goldens()}
