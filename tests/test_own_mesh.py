"""A user's own mesh, created from the wheel in a fresh environment outside this repository."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from switchboard.local.process import Process, free_ports
from tests.charts.rendering import HELM_DIR, of_kind, render
from tests.cli.conftest import start_up, without_meshes
from tests.parts import PROJECT, need_restate_server
from tests.tilt.evaluation import evaluate_in
from tests.wheel import build_wheel, install, new_environment

PROJECT_TESTS_SECONDS = 300
COMMAND_SECONDS = 180

SETTINGS = str(PROJECT / "pyproject.toml")

IMPORT_PUBLIC_NAMES = "import switchboard; print(*(getattr(switchboard, name) for name in switchboard.__all__))"


@dataclass(frozen=True)
class Installation:
    """The programs of a fresh environment, and a project created by its `switchboard new`."""

    programs: Path
    project: Path
    creation_seconds: float

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables without this repository: PATH has only the fresh, Restate and system programs."""
        ours = without_meshes()
        path = os.pathsep.join([str(self.programs), str(need_restate_server().parent), "/usr/bin", "/bin"])
        kept = {name: value for name, value in ours.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))}
        return kept | {"PATH": path}

    def run(self, program: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.project,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=PROJECT_TESTS_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def shop(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment with the wheel, including the CLI and the pytest plugin, and a new project named shop."""
    need_restate_server()
    folder = tmp_path_factory.mktemp("own")
    assert not folder.is_relative_to(PROJECT)
    programs = new_environment(folder / "venv")
    pins = PROJECT / "requirements" / "dev.txt"
    install(programs, "--constraint", str(pins), f"switchboard-mesh[cli,testing] @ {wheel.as_uri()}")
    begun = time.monotonic()
    made = subprocess.run(
        [programs / "switchboard", "new", "shop"],
        cwd=folder,
        env=without_meshes(),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("Created shop/, a mesh with one agent and two tools.")
    return Installation(programs, folder / "shop", time.monotonic() - begun)


def test_new_mesh_answers_its_first_question(shop: Installation, tmp_path: Path) -> None:
    begun = time.monotonic()
    command = [str(shop.programs / "switchboard")]
    mesh = start_up(tmp_path / "mesh", command=command, project=shop.project, environment=shop.environment)
    try:
        mesh.wait_until_up()
        answer = shop.run("switchboard", "ask", "where is my order A-1001?", **mesh.environment)
        seconds = shop.creation_seconds + time.monotonic() - begun
        print(f"\nfrom `switchboard new` to the first answer: {seconds:.1f} s: {answer.stdout.strip()}")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert "packed, leaves tomorrow" in answer.stdout
        stranger = shop.run("switchboard", "ask", "--not-signed-in", "where is order A-1001?", **mesh.environment)
        assert stranger.stdout.startswith("You are not signed in.")
    finally:
        mesh.end(signal.SIGTERM)


def test_tests_of_a_new_mesh_pass(shop: Installation) -> None:
    done = shop.run("pytest", "-rA")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.slow
def test_tests_of_a_new_mesh_pass_when_every_await_is_replayed(shop: Installation) -> None:
    done = shop.run("pytest", "-q", "--always-replay")
    assert done.returncode == 0, done.stdout + done.stderr


def test_tests_of_a_new_mesh_skip_or_fail_without_restate(shop: Installation) -> None:
    without_restate = {"PATH": os.pathsep.join([str(shop.programs), "/usr/bin", "/bin"])}
    skipped = shop.run("pytest", "-rs", REQUIRE_ALL="", **without_restate)
    assert skipped.returncode == 0
    assert "4 skipped" in skipped.stdout
    assert "needs restate-server, which is not installed on this machine; run `npm install`" in skipped.stdout
    failed = shop.run("pytest", REQUIRE_ALL="1", **without_restate)
    assert failed.returncode == 1
    assert "needs restate-server, which is not installed on this machine" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_plugin_reports_missing_settings_and_does_not_affect_other_tests(shop: Installation, tmp_path: Path) -> None:
    (tmp_path / "test_sum.py").write_text("def test_sum(): assert 1 + 1 == 2\ndef test_mesh(mesh): ...\n")
    unset = shop.run("pytest", "--rootdir", str(tmp_path), "-c", os.devnull, str(tmp_path)).stdout
    assert re.search("1 passed.* 1 error", unset)
    assert 'need pytest-asyncio and these settings in pytest\'s configuration: asyncio_mode = "auto"' in unset
    settings = str(shop.project / "pyproject.toml")
    elsewhere = shop.run("pytest", "--rootdir", str(tmp_path), "-c", settings, str(tmp_path)).stdout
    assert re.search("1 passed.* 1 error", elsewhere)
    assert f"There is no mesh.toml in {tmp_path} or above it." in elsewhere
    assert "Traceback" not in unset + elsewhere


def test_chart_renders_the_services_of_a_new_mesh(shop: Installation) -> None:
    manifests = render("agent-mesh", shop.project / "values.yaml", set={"image.registry": "registry.example.org"})
    images = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[0]
        for each in of_kind(manifests, "RestateDeployment")
    }
    assert images == {"front": "registry.example.org/shop-front", "tools": "registry.example.org/shop-tools"}


def test_values_of_a_new_mesh_follow_from_its_mesh_file(shop: Installation) -> None:
    printed = shop.run("switchboard", "values").stdout
    assert yaml.safe_load(printed) == yaml.safe_load((shop.project / "values.yaml").read_text(encoding="utf-8"))


def test_tiltfile_of_a_new_mesh_builds_an_image_for_each_workload(shop: Installation) -> None:
    asked = evaluate_in(shop.project, "up", {"SWITCHBOARD_CHARTS": str(HELM_DIR)}, {})
    built = {call.first: call.named["build_args"]["SERVICE"] for call in asked.all("docker_build")}
    assert built == {
        "shop-front": "front",
        "shop-tools": "tools",
        "shop-gateway": "gateway",
        "shop-demo-model": "demo_model",
    }
    used = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in asked.workloads}
    assert used == {f"{name}:tilt" for name in built}


async def test_image_of_a_new_mesh_runs_a_service(shop: Installation, wheel: Path, tmp_path: Path) -> None:
    """Repeats the Dockerfile's two steps: install requirements.in with local wheels, and run the service by name."""
    dockerfile = (shop.project / "Dockerfile").read_text(encoding="utf-8")
    assert "--find-links wheels -r requirements.in" in dockerfile
    assert "exec python -m switchboard.run $SERVICE" in dockerfile
    programs = new_environment(tmp_path / "venv")
    pins = ("--constraint", str(PROJECT / "requirements" / "dev.txt"))
    wheels = ("--find-links", str(wheel.parent), "--only-binary", ":all:")
    install(programs, *pins, *wheels, "--requirements", str(shop.project / "requirements.in"))
    (port,) = free_ports(1)
    service = Process(
        name="tools",
        command=[str(programs / "python"), "-m", "switchboard.run", "tools"],
        environment={"PORT": str(port), "HOST": "127.0.0.1", "OPENAI_API_KEY": ""},
        port=port,
        health=f"http://127.0.0.1:{port}/health",
        log=tmp_path / "tools.log",
        folder=shop.project,
    )
    try:
        await service.start()
    finally:
        await service.stop()


def test_new_mesh_pins_the_restate_server_and_the_base_image_of_this_repository(shop: Installation) -> None:
    def restate(folder: Path) -> dict[str, str]:
        pins = yaml.safe_load((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
        return {package: version for package, version in pins.items() if package.startswith("@restatedev/")}

    def base(folder: Path) -> str:
        return next(
            line
            for line in (folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
            if line.startswith("ARG BASE")
        )

    # This repository also pins packages that only its own tests use, such as the tool for clusters.
    assert restate(shop.project).items() <= restate(PROJECT).items()
    assert len(restate(shop.project)) == 2
    assert base(shop.project) == base(PROJECT)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "format", "--check", "--no-cache", "--config", SETTINGS], id="format"),
        pytest.param(["ruff", "check", "--no-cache", "--config", SETTINGS], id="lint"),
        # Without a cache, it also checks all libraries.
        pytest.param(["mypy", "--strict", "--cache-dir", os.devnull], id="types", marks=pytest.mark.slow),
    ],
)
def test_new_mesh_is_formatted_and_passes_linter_and_type_checker(shop: Installation, command: list[str]) -> None:
    program, *arguments = command
    where = ["--python-executable", str(shop.programs / "python"), "."] if program == "mypy" else ["."]
    done = subprocess.run(
        [PROJECT / ".venv" / "bin" / program, *arguments, *where],
        cwd=shop.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_wheel_does_not_shadow_the_users_packages(shop: Installation) -> None:
    show = "import {0}; print(*{0}.__path__)"
    for name in ("services", "tests", "cli", "scripts"):
        assert "No module named" in shop.run("python", "-I", "-c", show.format(name)).stderr
    own = shop.project / "services"
    own.mkdir()
    (own / "__init__.py").write_text("")
    assert shop.run("python", "-c", show.format("services")).stdout.strip() == str(own)


def test_public_names_need_the_base_dependencies_only(wheel: Path, tmp_path: Path) -> None:
    programs = new_environment(tmp_path / "venv")
    install(programs, "--requirements", str(PROJECT / "requirements" / "services.txt"))
    install(programs, "--no-deps", str(wheel))
    done = subprocess.run(
        [programs / "python", "-I", "-c", IMPORT_PUBLIC_NAMES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "class 'switchboard.agent.Agent'" in done.stdout
