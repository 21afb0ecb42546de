"""The tests of the alert rules detect every wrong threshold, label, comparison and duration."""

import re
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.mutants import apply_to_mutants, mutants_of
from tests.observability.test_alerts import HERE, PROMTOOL_TIMEOUT_SECONDS, alerts
from tests.parts import need_promtool


def write_tests(folder: Path, alert: str, mutants: dict[str, dict[str, Any]]) -> list[str]:
    """Write promtool files that run the alert's tests on the mutants, and return their paths."""
    rules = folder / "mutants.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "mutants", "rules": list(mutants.values())}]}))
    files = []
    for file in HERE.glob("*_test.yaml"):
        suite = apply_to_mutants(yaml.safe_load(file.read_text()), alert, list(mutants))
        if suite["tests"]:
            files.append(folder / file.name)
            files[-1].write_text(yaml.safe_dump({**suite, "rule_files": [str(rules)]}))
    return [str(file) for file in files]


@pytest.mark.at_night(chooses=lambda rule, **_: zlib.crc32(rule["alert"].encode()) % 2 == 0)
@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_mutant_of_a_rule_fails_the_rules_tests(rule: dict[str, Any], tmp_path: Path) -> None:
    wrong = {f"{rule['alert']}_{number}": mutant for number, mutant in enumerate(mutants_of(rule))}
    files = write_tests(tmp_path, rule["alert"], {name: {**made, "alert": name} for name, (_, made) in wrong.items()})
    answer = subprocess.run(
        [need_promtool(), "test", "rules", *files],
        capture_output=True,
        text=True,
        timeout=PROMTOOL_TIMEOUT_SECONDS,
        check=False,
    )
    detected = set(re.findall(r"alertname: (\w+), time:", answer.stdout + answer.stderr))
    assert detected, answer.stdout + answer.stderr
    assert [change for name, (change, _) in wrong.items() if name not in detected] == []
