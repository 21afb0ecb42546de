"""The tests of the alert rules notice each wrong threshold, label, comparison and duration in them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.mutants import asked_of_mutants, mutants_of
from tests.observability.test_alerts import HERE, PROMTOOL_TIMEOUT_SECONDS, alerts
from tests.parts import need_promtool


def written(folder: Path, alert: str, mutants: dict[str, dict[str, Any]]) -> list[str]:
    """The files that have promtool try the mutants, by name, on the series of the alert's own tests."""
    rules = folder / "mutants.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "mutants", "rules": list(mutants.values())}]}))
    files = []
    for file in HERE.glob("*_test.yaml"):
        suite = asked_of_mutants(yaml.safe_load(file.read_text()), alert, list(mutants))
        if suite["tests"]:
            files.append(folder / file.name)
            files[-1].write_text(yaml.safe_dump({**suite, "rule_files": [str(rules)]}))
    return [str(file) for file in files]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_no_wrong_rule_passes_the_tests_of_the_right_one(rule: dict[str, Any], tmp_path: Path) -> None:
    wrong = {f"{rule['alert']}_{number}": mutant for number, mutant in enumerate(mutants_of(rule))}
    files = written(tmp_path, rule["alert"], {name: {**made, "alert": name} for name, (_, made) in wrong.items()})
    answer = subprocess.run(
        [need_promtool(), "test", "rules", *files],
        capture_output=True,
        text=True,
        timeout=PROMTOOL_TIMEOUT_SECONDS,
        check=False,
    )
    noticed = set(re.findall(r"alertname: (\w+), time:", answer.stdout + answer.stderr))
    assert noticed, answer.stdout + answer.stderr
    assert [what for name, (what, _) in wrong.items() if name not in noticed] == []
