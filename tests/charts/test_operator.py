"""The chart of the operator: a wrapper that passes values on, strictly, at one pin."""

import pytest

from tests.charts.rendering import Settings, has_dependencies, lint, metadata, notes, refused, render, values

CHART = "mesh-operator"
OPERATOR = "restate-operator-helm"


def test_lint_has_nothing_to_say() -> None:
    assert lint(CHART) == ""


def test_it_has_no_objects_of_its_own() -> None:
    assert render(CHART, dependencies=False) == []


def test_the_operator_is_pinned_to_the_patch_and_can_be_left_out() -> None:
    [dependency] = metadata(CHART)["dependencies"]
    assert dependency["name"] == OPERATOR
    assert dependency["version"] == metadata(CHART)["appVersion"]
    assert dependency["version"].replace(".", "").isdigit()
    assert dependency["condition"] == f"{OPERATOR}.enabled"
    assert set(values(CHART)) == {OPERATOR}, "what stands elsewhere would not reach the operator's chart"


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicaCount": 2},
        {f"{OPERATOR}.replicaCount": 2},
        {f"{OPERATOR}.enbled": True},
        {f"{OPERATOR}.version": "latest"},
        {f"{OPERATOR}.nameOverride": "mine"},
        {f"{OPERATOR}.image.tag": "3.1.0"},
    ],
    ids=str,
)
def test_what_would_not_work_is_refused(wrong: Settings) -> None:
    assert "values don't meet the specifications" in refused(CHART, set=wrong)


def test_the_notes_say_what_to_wait_for_and_that_it_goes_last() -> None:
    text = notes(CHART)
    assert "crd/restateclusters.restate.dev crd/restatedeployments.restate.dev" in text
    assert "last to be removed" in text
    assert "Nothing was installed" in notes(CHART, set={f"{OPERATOR}.enabled": False})


def test_the_operators_chart_takes_what_is_passed_on() -> None:
    if not has_dependencies(CHART):
        pytest.skip("HELM_CHARTS_DIR names no folder with the operator's chart")
    kinds = [each["kind"] for each in render(CHART)]
    assert kinds.count("CustomResourceDefinition") >= 2
    assert render(CHART, set={f"{OPERATOR}.enabled": False}) == []
    without = [each["kind"] for each in render(CHART, set={f"{OPERATOR}.installCrds": False})]
    assert "CustomResourceDefinition" not in without
    assert "Deployment" in without
