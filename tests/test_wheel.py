"""The wheel contains the framework and its data files, and nothing else of this repository."""

import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from tests.parts import PROJECT
from tests.wheel import build_wheel

SOURCE = PROJECT / "switchboard"
ADDED_BY_THE_BUILD = {
    "switchboard/cli/agent_mesh_values.yaml": "agent-mesh",
    "switchboard/local/mesh_platform_values.yaml": "mesh-platform",
}
"""Chart values that the build adds to the wheel: file in the wheel and its chart."""

SIZE_MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_wheel_contains_only_the_package_and_its_metadata(wheel: Path, names: list[str]) -> None:
    folders = Counter("/".join(PurePosixPath(name).parts[:2]) for name in names)
    print(f"\n{wheel.name}: {wheel.stat().st_size:,} bytes, {len(names)} files")
    print("\n".join(f"  {count:4} {folder}" for folder, count in sorted(folders.items())))
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert tops == {"switchboard", wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"}
    assert wheel.stat().st_size < SIZE_MAX_BYTES


def test_wheel_contains_every_file_of_the_package(names: list[str]) -> None:
    written = {
        path.relative_to(PROJECT).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("switchboard/")} == written | ADDED_BY_THE_BUILD.keys()
    assert "switchboard/py.typed" in names
    assert any(name.startswith("switchboard/templates/project/") for name in names)


def test_wheel_contains_no_tests_and_no_compiled_files(names: list[str]) -> None:
    assert [name for name in names if name.endswith(".pyc") or PurePosixPath(name).name.startswith("test_")] in (
        [],
        [
            "switchboard/templates/mcp/tests/test_deliveries.py.tmpl",
            "switchboard/templates/postgres/tests/test_ratings.py.tmpl",
            "switchboard/templates/project/tests/test_{{module}}.py.tmpl",
        ],
    )


def test_wheel_declares_the_command_and_the_pytest_plugin(wheel: Path, names: list[str]) -> None:
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    text = zipfile.ZipFile(wheel).read(entry_points).decode()
    assert "[console_scripts]\nswitchboard = switchboard.cli.__main__:main" in text
    assert "[pytest11]\nswitchboard = switchboard.testing.plugin" in text


@pytest.mark.parametrize(("name", "chart"), ADDED_BY_THE_BUILD.items())
def test_wheel_contains_the_chart_values_unchanged(wheel: Path, name: str, chart: str) -> None:
    assert zipfile.ZipFile(wheel).read(name) == (PROJECT / "deploy" / "helm" / chart / "values.yaml").read_bytes()
