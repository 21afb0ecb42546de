"""Each image contains the files that its service needs, and no others."""

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts.image_tree import services
from switchboard.version import VERSION
from tests.images.build import REPLACED_STAGES, UV, Builder, CannotBuild
from tests.images.dockerfile import Ignore, read_dockerfile
from tests.images.samples import BUILT
from tests.parts import PROJECT

MODULES = services(PROJECT)
EXTRAS = {"demo_model": "demo"}
"""Extras whose name differs from the service's."""

SERVICES = list(MODULES)
AGENTS = ("triage", "bank", "airline")
DOCKERFILE = read_dockerfile((PROJECT / "Dockerfile").read_text())
PYPROJECT_TOML = tomllib.loads((PROJECT / "pyproject.toml").read_text())
PYPROJECT, GROUPS = PYPROJECT_TOML["project"], PYPROJECT_TOML["dependency-groups"]
CACHED = "services/bank/__pycache__/agent.cpython-311.pyc"


def own_pins(name: str) -> Path:
    return PROJECT / f"requirements/{name}.txt"


def test_image_has_the_files_of_the_stage_that_collects_them(builder: Builder) -> None:
    """So tests of that stage's files need no whole image, whose packages take longest."""
    assert builder.build("service", "triage").files("/app") == builder.build("files", "triage").files("/app")


@pytest.mark.parametrize("service", SERVICES)
def test_image_has_its_service_and_the_framework_but_no_other_service(builder: Builder, service: str) -> None:
    files = sources(builder.build("files", service).files())
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
def test_agent_image_has_contracts_facts_and_rules_but_no_handlers(builder: Builder, agent: str) -> None:
    of_tools = {path for path in builder.build("files", agent).files() if path.startswith("services/tools/")}
    allowed = r"services/tools/(\w+/)*(__init__|contract|facts|rules|records|models)\.py|.*/__pycache__/.*\.pyc"
    assert [path for path in of_tools if not re.fullmatch(allowed, path)] == []
    assert not [path for path in of_tools if "handlers" in path or path.endswith(".json")]


def test_bank_image_has_the_contracts_of_its_tools(builder: Builder) -> None:
    assert "services/tools/bank/transfers/contract.py" in builder.build("files", "bank").files()


@pytest.mark.parametrize("service", BUILT)
def test_image_has_no_tests_and_no_development_tools(builder: Builder, service: str) -> None:
    image = builder.build("service", service)
    everything = image.files("/")
    assert not [
        path
        for path in image.files()
        if re.search(r"(^|/)(tests?|testing|cli|local|evals|bench|scripts|docs|\.git)(/|$)", path)
    ]
    assert not [path for path in everything if path.startswith("opt/uv") or re.search(r"/bin/(uv|pip|gcc)$", path)]
    assert not [path for path in everything if re.search(r"site-packages/(pip|setuptools|pytest|typer|rich)/", path)]


@pytest.mark.parametrize("service", BUILT)
def test_no_file_in_an_image_changes_the_user(builder: Builder, service: str) -> None:
    """The Dockerfile removes setuid and setgid from the base image. Packages and sources are copied after that."""
    image = builder.build("service", service)
    modes = {path: image.at(path).lstat().st_mode for path in image.files("/")}
    assert len(modes) > 100
    assert [path for path, mode in modes.items() if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID)] == []


@pytest.mark.parametrize("service", BUILT)
def test_every_module_in_an_image_is_compiled(builder: Builder, service: str) -> None:
    image = builder.build("service", service)
    for folder in ("/app", "/opt/venv/lib"):
        files = image.files(folder)
        modules = {path for path in files if path.endswith(".py") and "/test" not in path}
        missing = {path for path in modules if not (set(compiled(path)) & files)}
        # A few packages contain files for other Python versions, which do not compile.
        assert len(missing) <= (0 if folder == "/app" else 5), missing


@pytest.mark.parametrize("service", BUILT)
def test_image_has_exactly_the_pinned_packages(builder: Builder, service: str) -> None:
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
    assert pins(file, r" \\$") <= installed, "pins without a condition apply to every platform"


@pytest.mark.parametrize("service", SERVICES)
def test_service_with_an_extra_or_a_group_has_its_own_pins(service: str) -> None:
    more = EXTRAS.get(service, service) in PYPROJECT["optional-dependencies"] or service in GROUPS
    own = own_pins(service)
    assert own.exists() == more, "`make pins` writes one file for each service with an extra or a dependency group"
    if more:
        assert pins(PROJECT / "requirements/services.txt") <= pins(own)


@pytest.mark.parametrize("name", ["services", "live", *(service for service in SERVICES if own_pins(service).exists())])
def test_images_use_the_tested_package_versions(name: str) -> None:
    tested = pins(PROJECT / "requirements/dev.txt")
    only_here = {line for line in pins(own_pins(name)) - tested if not line.startswith("watchfiles==")}
    assert only_here == set()


def test_uv_group_dev_has_the_packages_of_extras_and_services() -> None:
    extras = [PYPROJECT["optional-dependencies"][name] for name in ("cli", "demo", "evals", "gateway")]
    wanted = {package for packages in (*extras, *(GROUPS.get(name, []) for name in SERVICES)) for package in packages}
    assert set(GROUPS["dev"]) == wanted, "Update the group dev in pyproject.toml."


def test_every_copied_source_is_in_the_build_context() -> None:
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
        found = [path for path in paths if not ignore.ignores(path.relative_to(PROJECT).as_posix())]
        assert found, source


def test_build_context_has_only_sources_and_pins() -> None:
    ignore = Ignore((PROJECT / ".dockerignore").read_text())
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    paths = [*listed.stdout.split(), ".git/HEAD", ".venv/bin/python", CACHED]
    reaching = {path for path in paths if not ignore.ignores(path)}
    kept = r"(switchboard|services)/.*|mesh\.toml|scripts/image_tree\.py|requirements/(?!dev|bench|all|docs)\w+\.txt"
    assert [path for path in sorted(reaching) if not re.fullmatch(kept, path)] == []
    assert CACHED not in reaching


@pytest.mark.parametrize("service", BUILT)
def test_image_has_labels_and_an_unprivileged_user(builder: Builder, service: str) -> None:
    image = builder.build("service", service)
    assert image.user == "10001:10001"
    assert f"--uid {image.user.split(':')[0]} " in DOCKERFILE.stages["runtime"].all("RUN")[0].text
    assert image.ports == (image.environment["PORT"],) == ("9080",)
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image.labels.items()}
    assert labels["title"] == f"Switchboard {service}"
    assert labels["version"] == VERSION
    assert labels["licenses"] == PYPROJECT["license"]
    assert labels["base.name"] == DOCKERFILE.arguments["BASE"]


def test_base_image_is_an_exact_supported_python() -> None:
    version = re.fullmatch(r"docker\.io/library/python:(\d+\.\d+)\.\d+-slim-\w+", DOCKERFILE.arguments["BASE"])
    assert version is not None
    assert f">={version[1]}" == PYPROJECT["requires-python"]


def test_replaced_stages_are_those_that_change_the_base_image() -> None:
    changing = {
        stage.name
        for stage in DOCKERFILE.stages.values()
        for run in stage.all("RUN")
        if re.search(r"useradd|/usr/|\bapt|-m venv|-m pip|bin/pip", run.text)
    }
    assert changing == set(REPLACED_STAGES)
    uv = subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert f"uv=={uv}" in pins(PROJECT / "requirements/bootstrap.txt")


def test_unknown_service_fails_the_build_with_the_known_names(builder: Builder) -> None:
    with pytest.raises(CannotBuild, match="SERVICE must be one of airline, bank"):
        builder.build("service", "bnak")


def test_missing_source_fails_the_build(tmp_path: Path) -> None:
    text = (
        (PROJECT / "Dockerfile").read_text().replace("COPY switchboard switchboard", "COPY switchbord switchboard", 1)
    )
    with pytest.raises(CannotBuild, match="switchbord does not exist"):
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


def pins(file: Path, suffix: str = "") -> set[str]:
    """Return `name==version` of each line that continues with the pattern `suffix`."""
    return set(re.findall(rf"^([a-z0-9._-]+==[^\s;]+){suffix}", file.read_text(), re.MULTILINE))
