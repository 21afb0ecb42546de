"""The workflows call existing scripts, steps and make targets, and each job has its own permissions. Nothing is run."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def test_dependabot_watches_existing_folders() -> None:
    for update in parsed(GITHUB / "dependabot.yml")["updates"]:
        for folder in update.get("directories") or [update["directory"]]:
            assert (PROJECT / folder.lstrip("/")).is_dir(), folder


def test_hooks_are_local_and_run_installed_programs() -> None:
    (local,) = parsed(HOOKS)["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        program, *arguments = hook["entry"].split()
        assert program in {".venv/bin/ruff", ".venv/bin/pytest"}
        assert all((PROJECT / file).exists() for file in arguments if file.startswith("tests/"))
