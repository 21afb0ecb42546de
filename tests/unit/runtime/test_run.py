"""Running a service of the mesh by its name."""

import re
import sys
from pathlib import Path

import pytest

from switchboard.run import main

MESH = """
name = "shop"
[services.front]
module = "desk_of_shop.front"
port = 9181
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mesh's folder; the test is in a folder below it."""
    (tmp_path / "mesh.toml").write_text(MESH)
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def add_package(folder: Path, init: str, front: str) -> None:
    (folder / "desk_of_shop").mkdir()
    (folder / "desk_of_shop" / "__init__.py").write_text(init)
    (folder / "desk_of_shop" / "front.py").write_text(front)


@pytest.mark.parametrize(
    ("service", "why"),
    [("back", "There is no service 'back'"), ("front", "There is no module desk_of_shop.front in .* Correct")],
)
def test_service_that_cannot_be_found_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], service: str, why: str
) -> None:
    assert main([service]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(rf"{why}.*\n", said)


def test_service_is_found_from_a_folder_below(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_package(folder, "", "print(__name__)")
    assert main(["front"]) == 0
    assert capsys.readouterr().out == "__main__\n"
    sys.modules.pop("desk_of_shop", None)


def test_package_that_a_module_needs_is_named(folder: Path) -> None:
    add_package(folder, "import not_installed", "")
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        main(["front"])
