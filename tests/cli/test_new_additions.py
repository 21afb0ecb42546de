"""`switchboard new --with`: projects with a database or an MCP server."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from switchboard.cli.additions import Addition
from switchboard.cli.new import TEMPLATE_SERVICES, new
from switchboard.local.restate_server import find_binary
from tests.charts.rendering import render
from tests.cli.conftest import run_in, without_meshes
from tests.parts import PROJECT, need_restate_server
from tests.postgres import Postgres

TEMPLATES = PROJECT / "switchboard" / "templates"
SETTINGS = str(PROJECT / "pyproject.toml")
TESTS_SECONDS = 120


def run_tool(command: Sequence[str], folder: Path) -> str:
    """Run a program of this environment. Return its output if it has failed."""
    program, *arguments = command
    path = str(PROJECT / ".venv" / "bin" / program)
    done = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("additions", [[each] for each in Addition] + [list(Addition)])
def test_project_with_additions_is_formatted_and_passes_the_linter(tmp_path: Path, additions: list[Addition]) -> None:
    new("shop", tmp_path, additions)
    assert run_tool(["ruff", "format", "--check", "--no-cache", "--config", SETTINGS, "."], tmp_path) == ""
    assert run_tool(["ruff", "check", "--no-cache", "--config", SETTINGS, "."], tmp_path) == ""


def test_repeated_addition_is_added_once_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    assert run_in(tmp_path, "new", "shop", "--with", "postgres", "--with", "postgres").returncode == 0
    assert "SHOP_DATABASE_URL" in (tmp_path / "shop" / "shop" / "ratings.py").read_text()
    assert (tmp_path / "shop" / "requirements.in").read_text().count("postgres") == 2
    refused = run_in(tmp_path, "new", "other", "--with", "mongodb")
    assert refused.returncode == 2
    assert "mongodb" in refused.stderr
    assert not (tmp_path / "other").exists()


def test_readme_has_all_commands_of_the_next_steps_and_names_the_added_modules(tmp_path: Path) -> None:
    for name, additions in (("shop", []), ("stall", [Addition.MCP]), ("store", list(Addition))):
        steps = [line.partition(" #")[0].strip() for line in new(name, tmp_path, additions).splitlines()[2:]]
        readme = (tmp_path / name / "README.md").read_text()
        assert [step for step in steps if step not in readme] == []
        modules = {path.name for path in (tmp_path / name / name).glob("*.py")} - {"__init__.py"}
        assert [module for module in sorted(modules) if f"{name}/{module}" not in readme] == []


@pytest.mark.parametrize("addition", Addition)
def test_next_steps_install_all_that_an_addition_needs(tmp_path: Path, addition: Addition) -> None:
    steps = new("shop", tmp_path, [addition])
    [installs] = [line for line in steps.splitlines() if line.strip().startswith("pip install")]
    packages = [line for line in (tmp_path / "shop" / "requirements.in").read_text().splitlines() if line[0] != "#"]
    assert f"switchboard-mesh[{addition}]" in installs
    assert [package for package in packages[1:] if package not in installs] == []


def test_agent_is_named_differently_than_each_service_of_the_templates() -> None:
    texts = [path.read_text() for path in TEMPLATES.rglob("*.tmpl")]
    declared = {name for text in texts for name in re.findall(r'(?:Toolset|McpServer)\(\s*"(\w+)"', text)}
    assert {"Orders", "Ratings", "Deliveries"} <= declared <= TEMPLATE_SERVICES


def test_values_for_postgres_migrate_before_the_tools_start(tmp_path: Path) -> None:
    new("shop", tmp_path, [Addition.POSTGRES])
    files = [tmp_path / "shop" / "values.yaml", tmp_path / "shop" / "values-postgres.yaml"]
    [tools] = [
        each
        for each in render("agent-mesh", *files)
        if each["kind"] == "RestateDeployment" and each["metadata"]["name"] == "tools"
    ]
    [migration] = tools["spec"]["template"]["spec"]["initContainers"]
    assert migration["command"] == ["python", "-m", "shop.migrate"]
    assert "SHOP_DATABASE_URL" in {variable["name"] for variable in migration["env"]}
    assert yaml.safe_load(files[1].read_text())["services"].keys() == {"tools"}


@pytest.mark.slow
async def test_tests_of_a_project_with_postgres_pass(tmp_path: Path, postgres: Postgres) -> None:
    need_restate_server()
    new("shop", tmp_path, [Addition.POSTGRES])
    address = await postgres.create_database(f"shop_{uuid4().hex}")
    path = os.pathsep.join([str(Path(str(find_binary("restate-server"))).parent), os.environ["PATH"]])
    environment = without_meshes(SHOP_DATABASE_URL=address, PYTHONPATH=str(PROJECT), PATH=path)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path / "shop", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), TESTS_SECONDS)
    assert process.returncode == 0, output.decode()
    assert b"5 passed" in output


@pytest.mark.slow
def test_tests_of_a_project_with_postgres_say_what_they_need(tmp_path: Path) -> None:
    new("shop", tmp_path, [Addition.POSTGRES])
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"]
    environment = without_meshes(PYTHONPATH=str(PROJECT))
    done = subprocess.run(command, cwd=tmp_path / "shop", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "needs a database; set SHOP_DATABASE_URL" in done.stdout
