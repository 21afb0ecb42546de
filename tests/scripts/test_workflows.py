"""The workflows call existing scripts, steps and make targets, and each job has its own permissions. Nothing is run."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.kubernetes import KUBERNETES
from tests.parts import PROJECT

GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCRIPTS = sorted((PROJECT / "scripts" / "ci").glob("*.sh"))
YAML = [*WORKFLOWS, *sorted(GITHUB.glob("*.yml")), *sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml"))]
HOOKS = PROJECT / ".pre-commit-config.yaml"

COMMAND = re.compile(r"(?:\w+=\S+ )*(?P<program>\.ci/run|scripts/ci/[\w-]+\.sh|make)(?P<arguments>( \S+)*)")
ACTION = re.compile(r"^\s*(?:- )?uses: (?P<action>\S+)(?P<comment> +# .+)?$", re.MULTILINE)
OWN_FILE = re.compile(r"(?<![\w./-])(?:scripts|deploy|docs|requirements|tests)/[\w/.-]*\w(?![\w/*])")
MAKE = re.compile(r"^\s*make (.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def commands(workflow: Path) -> Iterator[str]:
    """Yield each line that a step runs."""
    for job in parsed(workflow)["jobs"].values():
        for step in job.get("steps", []):
            yield from step.get("run", "").splitlines()


def make_targets() -> set[str]:
    """Return the targets of the Makefile, including files."""
    makefile = (PROJECT / "Makefile").read_text().replace("$(VENV)", ".venv")
    return set(re.findall(r"^([\w./-]+):(?!=)", makefile, re.MULTILINE))


def kind_steps() -> set[str]:
    """Return the steps that scripts/ci/kind.sh accepts."""
    known = re.search(r"^ +([a-z |]+)\) step ", (PROJECT / "scripts/ci/kind.sh").read_text(), re.MULTILINE)
    assert known is not None
    return set(known[1].split(" | "))


@pytest.mark.parametrize("path", [*YAML, HOOKS], ids=name_of)
def test_file_is_yaml(path: Path) -> None:
    assert isinstance(parsed(path), dict)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_workflow_runs_only_existing_scripts(workflow: Path) -> None:
    for line in commands(workflow):
        command = COMMAND.fullmatch(line)
        assert command is not None, f"Move `{line}` to a script in scripts/ci, so that it also runs without GitHub."
        program, arguments = command["program"], command["arguments"].split()
        if program == "make":
            assert set(arguments) <= make_targets(), line
            continue
        assert os.access(PROJECT / program, os.X_OK), f"{program} does not exist or is not executable"
        if program.endswith("/kind.sh"):
            assert set(arguments) <= kind_steps(), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_workflow_sets_permissions_only_per_job(workflow: Path) -> None:
    content = parsed(workflow)
    assert content["permissions"] == {}
    assert [name for name, job in content["jobs"].items() if "permissions" not in job] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_workflow_pins_and_explains_each_actions_version(workflow: Path) -> None:
    for used in ACTION.finditer(workflow.read_text()):
        action = used["action"]
        if action.startswith("./"):
            assert (PROJECT / action).is_file()
        else:
            assert re.search(r"@(v\d+(\.\d+)*|[0-9a-f]{40})$", action), action
            assert used["comment"], f"{action} needs a comment on its version"


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_script_is_valid_bash_and_stops_at_the_first_failure(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    assert "\nset -euo pipefail\n" in script.read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_script_uses_existing_files_and_make_targets(script: Path) -> None:
    text = script.read_text()
    missing = [file for file in OWN_FILE.findall(text) if not (PROJECT / file).exists()]
    assert missing == []
    for module in re.findall(r"(?:-m|from) scripts\.(\w+)", text):
        assert (PROJECT / "scripts" / f"{module}.py").is_file()
    for targets in MAKE.findall(text):
        assert set(targets.split()) <= make_targets(), targets


def read_by_renovate(manager: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the file and the version of each pin that a custom manager of Renovate finds."""
    patterns = [re.compile(each.strip("/")) for each in manager["managerFilePatterns"]]
    files = [each for each in tracked_files() if any(pattern.search(each) for pattern in patterns)]
    expressions = [each.replace("(?<", "(?P<") for each in manager["matchStrings"]]
    return {
        (file, match["currentValue"])
        for file in files
        for expression in expressions
        for match in re.finditer(expression, (PROJECT / file).read_text())
    }


def test_renovate_reads_every_pin_that_its_own_managers_do_not_know() -> None:
    config = json.loads((GITHUB / "renovate.json").read_text())
    found = set().union(*(read_by_renovate(manager) for manager in config["customManagers"]))
    tools = tomllib.loads((PROJECT / "scripts/tools.toml").read_text())
    wanted = {("scripts/tools.toml", each["version"]) for each in tools.values() if each["version"] != "debian"}
    components = re.findall(r"gomod: \S+ (\S+)", (PROJECT / "scripts/otelcol.yaml").read_text())
    wanted |= {("scripts/otelcol.yaml", version) for version in components}
    scanners = re.findall(r"^[A-Z_]+=([\d.]+)$", (PROJECT / "scripts/ci/scan.sh").read_text(), re.M)
    wanted |= {("scripts/ci/scan.sh", version) for version in scanners}
    wanted |= {("scripts/kubernetes.py", KUBERNETES)}
    assert len(wanted) > 7
    assert found == wanted


def test_renovate_watches_existing_files() -> None:
    config = json.loads((GITHUB / "renovate.json").read_text())
    managers = [config[name] for name in config["enabledManagers"] if name in config] + config["customManagers"]
    for pattern in (pattern for manager in managers for pattern in manager["managerFilePatterns"]):
        assert any(re.search(pattern.strip("/"), file) for file in tracked_files()), pattern


@cache
def tracked_files() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_hooks_are_local_and_run_installed_programs() -> None:
    (local,) = parsed(HOOKS)["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        program, *arguments = hook["entry"].split()
        assert program in {".venv/bin/ruff", ".venv/bin/pytest"}
        assert all((PROJECT / file).exists() for file in arguments if file.startswith("tests/"))
