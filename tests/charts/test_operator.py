"""The chart mesh-operator wraps the operator's chart at a pinned version and checks the values that it passes on."""

import pytest

from tests.charts.rendering import Settings, has_dependencies, lint, metadata, notes, refused, render, values

CHART = "mesh-operator"
OPERATOR = "restate-operator-helm"


def test_lint_finds_nothing() -> None:
    assert lint(CHART) == ""


def test_chart_has_no_objects_of_its_own() -> None:
    assert render(CHART, dependencies=False) == []


def test_operator_has_an_exact_version_and_a_condition() -> None:
    [dependency] = metadata(CHART)["dependencies"]
    assert dependency["name"] == OPERATOR
    assert dependency["version"] == metadata(CHART)["appVersion"]
    assert dependency["version"].replace(".", "").isdigit()
    assert dependency["condition"] == f"{OPERATOR}.enabled"
    assert set(values(CHART)) == {OPERATOR}, "other keys would not reach the operator's chart"


@pytest.mark.parametrize(
    "invalid",
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
def test_invalid_values_are_rejected(invalid: Settings) -> None:
    assert "values don't meet the specifications" in refused(CHART, set=invalid)


def test_notes_say_what_to_wait_for_and_to_remove_the_operator_last() -> None:
    text = notes(CHART)
    assert "crd/restateclusters.restate.dev crd/restatedeployments.restate.dev" in text
    assert "Remove this release last" in text
    assert "Nothing was installed" in notes(CHART, set={f"{OPERATOR}.enabled": False})


def test_values_reach_the_operators_chart() -> None:
    if not has_dependencies(CHART):
        pytest.skip("set HELM_CHARTS_DIR to a folder with the operator's chart")
    kinds = [each["kind"] for each in render(CHART)]
    assert kinds.count("CustomResourceDefinition") >= 2
    assert render(CHART, set={f"{OPERATOR}.enabled": False}) == []
    without = [each["kind"] for each in render(CHART, set={f"{OPERATOR}.installCrds": False})]
    assert "CustomResourceDefinition" not in without
    assert "Deployment" in without
