"""What stands in each image, and what does not."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts.image_tree import services
from switchboard.version import VERSION
from tests.images.build import STOOD_IN_FOR, UV, Builder, CannotBuild
from tests.images.dockerfile import Ignore, read_dockerfile
from tests.parts import PROJECT

MODULES = services(PROJECT)
EXTRAS = {"demo_model": "demo"}
"""The extra of a service, where it has another name."""

SERVICES = list(MODULES)
AGENTS = ("triage", "bank", "airline")
DOCKERFILE = read_dockerfile((PROJECT / "Dockerfile").read_text())
PYPROJECT_TOML = tomllib.loads((PROJECT / "pyproject.toml").read_text())
PYPROJECT, GROUPS = PYPROJECT_TOML["project"], PYPROJECT_TOML["dependency-groups"]
CACHED = "services/bank/__pycache__/agent.cpython-311.pyc"


def own_pins(name: str) -> Path:
    return PROJECT / f"requirements/{name}.txt"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_service_the_shared_package_and_no_other_service(builder: Builder, service: str) -> None:
    files = sources(builder.build("service", service).files())
    folder = MODULES[service].replace(".", "/")
    own = {path for path in files if path.startswith(f"{folder}/")}
    assert f"{folder}/__main__.py" in own
    others = files - own - {"services/__init__.py", "mesh.toml"}
    known = r"switchboard/.*|services/tools/.*"
    assert [path for path in sorted(others) if not re.fullmatch(known, path)] == []
    assert tracked(folder) | {"switchboard/run.py", "mesh.toml"} <= files
    foreign = {"switchboard/gateway", "switchboard/demo_model"} - {folder}
    assert not [path for path in files if path.startswith(tuple(f"{each}/" for each in foreign))]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agents_image_holds_contracts_and_rules_of_tools_and_never_their_handlers(
    builder: Builder, agent: str
) -> None:
    of_tools = {path for path in builder.build("service", agent).files() if path.startswith("services/tools/")}
    allowed = r"services/tools/(\w+/)*(__init__|contract|rules|records)\.py|.*/__pycache__/.*\.pyc"
    assert [path for path in of_tools if not re.fullmatch(allowed, path)] == []
    assert not [path for path in of_tools if "handlers" in path or path.endswith(".json")]


def test_the_bank_agents_image_has_the_contracts_that_it_offers(builder: Builder) -> None:
    assert "services/tools/bank/transfers/contract.py" in builder.build("service", "bank").files()


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_that_is_for_people_or_tests_is_in_an_image(builder: Builder, service: str) -> None:
    image = builder.build("service", service)
    everything = image.files("/")
    assert not [
        path
        for path in image.files()
        if re.search(r"(^|/)(tests?|testing|cli|local|evals|bench|scripts|docs|\.git)(/|$)", path)
    ]
    assert not [path for path in everything if path.startswith("opt/uv") or re.search(r"/bin/(uv|pip|gcc)$", path)]
    assert not [path for path in everything if re.search(r"site-packages/(pip|setuptools|pytest|typer|rich)/", path)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_module_of_an_image_is_compiled(builder: Builder, service: str) -> None:
    image = builder.build("service", service)
    for folder in ("/app", "/opt/venv/lib"):
        files = image.files(folder)
        modules = {path for path in files if path.endswith(".py") and "/test" not in path}
        missing = {path for path in modules if not (set(compiled(path)) & files)}
        # A few packages ship files for other Pythons, which do not compile.
        assert len(missing) <= (0 if folder == "/app" else 5), missing


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_exactly_the_pinned_packages(builder: Builder, service: str) -> None:
    own = own_pins(service)
    file = own if own.exists() else PROJECT / "requirements/services.txt"
    listed = subprocess.run(
        [UV, "pip", "freeze", "--python", builder.build("service", service).at("/opt/venv")],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {line.strip() for line in listed.stdout.splitlines()}
    assert installed <= pins(file)
    assert pins(file, r" \\$") <= installed, "a pin without a condition is for every platform"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_with_an_extra_has_pins_of_its_own(service: str) -> None:
    extra = EXTRAS.get(service, service) in PYPROJECT["optional-dependencies"]
    own = own_pins(service)
    assert own.exists() == extra, "`make pins` writes one file for each service with an extra"
    if extra:
        assert pins(PROJECT / "requirements/services.txt") <= pins(own)


@pytest.mark.parametrize("name", ["services", "live", *(service for service in SERVICES if own_pins(service).exists())])
def test_images_have_the_versions_that_the_tests_ran_with(name: str) -> None:
    tested = pins(PROJECT / "requirements/dev.txt")
    only_here = {line for line in pins(own_pins(name)) - tested if not line.startswith("watchfiles==")}
    assert only_here == set()


def test_uv_run_brings_what_make_setup_does_but_for_the_tests() -> None:
    extras = PYPROJECT["optional-dependencies"]
    wanted = {package for name in ("cli", "demo", "evals", "gateway") for package in extras[name]}
    assert set(GROUPS["dev"]) == wanted, "pyproject.toml: the group dev"


def test_every_copied_source_exists_and_reaches_the_builder() -> None:
    ignore = Ignore((PROJECT / ".dockerignore").read_text())
    sources = [
        source
        for stage in DOCKERFILE.stages.values()
        for copy in stage.all("COPY")
        if "from" not in copy.flags
        for source in copy.words[:-1]
    ]
    assert len(sources) >= 6
    for source in sources:
        paths = [PROJECT / source, *(PROJECT / source).rglob("*")]
        found = [path for path in paths if not ignore.leaves_out(path.relative_to(PROJECT).as_posix())]
        assert found, source


def test_only_sources_and_pins_reach_the_builder() -> None:
    ignore = Ignore((PROJECT / ".dockerignore").read_text())
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    paths = [*listed.stdout.split(), ".git/HEAD", ".venv/bin/python", CACHED]
    reaching = {path for path in paths if not ignore.leaves_out(path)}
    kept = r"(switchboard|services)/.*|mesh\.toml|scripts/image_tree\.py|requirements/(?!dev|bench|all|docs)\w+\.txt"
    assert [path for path in sorted(reaching) if not re.fullmatch(kept, path)] == []
    assert CACHED not in reaching


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is_and_runs_as_nobody(builder: Builder, service: str) -> None:
    image = builder.build("service", service)
    assert image.user == "10001:10001"
    assert f"--uid {image.user.split(':')[0]} " in DOCKERFILE.stages["runtime"].all("RUN")[0].text
    assert image.ports == (image.environment["PORT"],) == ("9080",)
    said = {name.removeprefix("org.opencontainers.image."): value for name, value in image.labels.items()}
    assert said["title"] == f"Switchboard {service}"
    assert said["version"] == VERSION
    assert said["licenses"] == PYPROJECT["license"]
    assert said["base.name"] == DOCKERFILE.arguments["BASE"]


def test_the_base_is_one_exact_python_of_ours() -> None:
    version = re.fullmatch(r"docker\.io/library/python:(\d+\.\d+)\.\d+-slim-\w+", DOCKERFILE.arguments["BASE"])
    assert version is not None
    assert f">={version[1]}" == PYPROJECT["requires-python"]


def test_what_the_tests_stand_in_for_is_the_base_image_and_uv_alone() -> None:
    changing = {
        stage.name
        for stage in DOCKERFILE.stages.values()
        for run in stage.all("RUN")
        if re.search(r"useradd|/usr/|\bapt|-m venv|-m pip|bin/pip", run.text)
    }
    assert changing == set(STOOD_IN_FOR)
    uv = subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert f"uv=={uv}" in pins(PROJECT / "requirements/bootstrap.txt")


def test_a_service_that_does_not_exist_ends_the_build_with_the_names_of_those_that_do(builder: Builder) -> None:
    with pytest.raises(CannotBuild, match="SERVICE must be one of airline, bank"):
        builder.build("service", "bnak")


def test_a_source_that_is_gone_ends_the_build(tmp_path: Path) -> None:
    text = (
        (PROJECT / "Dockerfile").read_text().replace("COPY switchboard switchboard", "COPY switchbord switchboard", 1)
    )
    with pytest.raises(CannotBuild, match="there is no switchbord"):
        Builder(tmp_path, text=text).build("files", "bank")


def sources(files: set[str]) -> set[str]:
    return {path for path in files if "__pycache__" not in path}


def tracked(*folders: str) -> set[str]:
    found = (path for folder in folders for path in (PROJECT / folder).rglob("*") if path.is_file())
    return sources({path.relative_to(PROJECT).as_posix() for path in found})


def compiled(path: str) -> list[str]:
    folder, _, name = path.rpartition("/")
    version = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    return [f"{folder}/__pycache__/{name.removesuffix('.py')}.{version}.pyc".lstrip("/")]


def pins(file: Path, and_then: str = "") -> set[str]:
    """`name==version` of each line that goes on like `and_then`."""
    return set(re.findall(rf"^([a-z0-9._-]+==[^\s;]+){and_then}", file.read_text(), re.MULTILINE))
