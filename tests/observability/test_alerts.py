"""Alert rules: promtool tests them on series, each has a runbook, and each uses only series that exist."""

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.tools.bank.disputes.workflow import dispute_case
from services.tools.bank.loan_applications.workflow import loan_application
from switchboard.toolkit.settings import ToolsSettings
from tests.observability.promql import series_in, without_suffix
from tests.parts import need_promtool

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "helm" / "mesh-platform" / "files" / "alerts.yaml"
DASHBOARDS = ("mesh.json", "restate.json")
HERE = Path(__file__).resolve().parent
PROMTOOL_TIMEOUT_SECONDS = 180

SCRAPED = ("restate_", "otelcol_")
"""Prefixes of series that test_scrapes.py looks up in scrapes of real servers."""

PROMETHEUS_OWN = {"up"}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Return every expression of rules and dashboards, by its location."""
    found = {f"alerts.yaml {rule['alert']}": rule["expr"] for rule in alerts()}
    for name in DASHBOARDS:
        for panel in json.loads((RULES.parent / name).read_text())["panels"]:
            for target in panel.get("targets", ()):
                found[f"{name} {panel['title']} {target['refId']}"] = target["expr"]
    return found


def panel_titles() -> set[str]:
    return {panel["title"] for name in DASHBOARDS for panel in json.loads((RULES.parent / name).read_text())["panels"]}


def test_runbooks_name_existing_panels() -> None:
    runbooks = re.sub(r"\*\*.*?\*\*", "", (ROOT / "docs" / "operate" / "alerts.md").read_text())
    named = {" ".join(words.split()) for words in re.findall(r"\*([^*]+)\*", runbooks)}
    assert len(named) > 5
    assert named - {"Switchboard"} <= panel_titles()


def documented() -> dict[str, set[str]]:
    """The table of docs/reference/metrics.md: labels by metric."""
    table = {}
    for line in (ROOT / "docs" / "reference" / "metrics.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and (name := re.fullmatch(r"`(\w+)`", cells[1])):
            table[name[1]] = set(re.findall(r"`(\w+)`", cells[3]))
    return table


def promtool(*arguments: str) -> None:
    command = [need_promtool(), *arguments]
    answer = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=PROMTOOL_TIMEOUT_SECONDS, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_rules_fire_as_their_promtool_tests_expect() -> None:
    promtool("test", "rules", *sorted(file.name for file in HERE.glob("*_test.yaml")))


def test_each_alert_is_tested_firing_and_silent() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for file in HERE.glob("*_test.yaml"):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for check in test["alert_rule_test"]:
                (fires if check["exp_alerts"] else silent).add(check["alertname"])
    names = {rule["alert"] for rule in alerts()}
    assert fires == names
    assert silent == names


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_has_a_complete_runbook(rule: dict[str, Any]) -> None:
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == rule["alert"].lower()
    _, found, rest = (ROOT / file).read_text().partition(f"\n## {rule['alert']}\n")
    assert found, f"{file} has no heading {rule['alert']}"
    text = rest.partition("\n## ")[0]
    assert "**Meaning:**" in text
    assert "**Check" in text
    assert "**Fix:**" in text or "**fix:**" in text


def test_each_runbook_belongs_to_an_alert() -> None:
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "operate" / "alerts.md").read_text(), re.MULTILINE)
    assert set(headings) == {rule["alert"] for rule in alerts()}


def test_only_workflows_that_wait_for_staff_keep_deployments_for_days() -> None:
    waiting = {workflow.name for workflow in (loan_application, dispute_case)}
    files = (path for path in (ROOT / "services").rglob("*.py") if "= tool_workflow(" in path.read_text())
    assert len(list(files)) == len(waiting), "there is a new workflow: add it above if it waits for staff"
    rules = {rule["alert"]: rule for rule in alerts()}
    for alert, operator in (("DeploymentDoesNotDrain", "!~"), ("WorkflowDeploymentDoesNotDrain", "=~")):
        named = re.search(rf'service{operator}"([^"]*)"', rules[alert]["expr"])
        assert named is not None
        assert set(named[1].split("|")) == waiting
    hours = timedelta(hours=int(rules["WorkflowDeploymentDoesNotDrain"]["for"].removesuffix("h")))
    assert hours > ToolsSettings.model_fields["approval_deadline"].default, "staff may take until the approval deadline"


@pytest.mark.parametrize("where", expressions())
def test_every_series_is_documented_or_scraped(where: str) -> None:
    table = documented()
    found = list(series_in(expressions()[where]))
    assert found, "the expression contains no series"
    for series, labels in found:
        if series in PROMETHEUS_OWN or series.startswith(SCRAPED):
            continue
        name = series if series in table else without_suffix(series)
        assert name in table, f"{series} is not in docs/reference/metrics.md"
        assert labels <= table[name], f"{name} has no label {labels - table[name]}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap_and_name_existing_alerts(name: str) -> None:
    panels = json.loads((RULES.parent / name).read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} overlaps another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
        named = re.search(r"Alerts?: ([\w, ]+(?: and \w+)?)\.", panel.get("description", ""))
        for alert in re.findall(r"\w+", named[1].replace(" and ", " ")) if named else ():
            assert alert in {rule["alert"] for rule in alerts()}, f"{panel['title']} names {alert}"


def test_every_metric_of_the_mesh_is_on_a_dashboard() -> None:
    shown = {without_suffix(series) for expr in expressions().values() for series, _ in series_in(expr)}
    assert set(documented()) <= shown
