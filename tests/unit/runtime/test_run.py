"""`python -m switchboard.run`: runs a service of the mesh by its name."""

import re
import sys
from pathlib import Path

import pytest

from switchboard.run import main

MESH = """
name = "shop"
[services.front]
module = "shop_package.front"
port = 9181
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mesh's folder. The test runs in a subfolder."""
    (tmp_path / "mesh.toml").write_text(MESH)
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def add_package(folder: Path, init: str, front: str) -> None:
    (folder / "shop_package").mkdir()
    (folder / "shop_package" / "__init__.py").write_text(init)
    (folder / "shop_package" / "front.py").write_text(front)


@pytest.mark.parametrize(
    ("service", "why"),
    [("back", "There is no service 'back'"), ("front", "There is no module shop_package.front in .* Correct")],
)
def test_unknown_service_or_module_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], service: str, why: str
) -> None:
    assert main([service]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(rf"{why}.*\n", said)


def test_service_is_found_from_a_subfolder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_package(folder, "", "print(__name__)")
    assert main(["front"]) == 0
    assert capsys.readouterr().out == "__main__\n"
    sys.modules.pop("shop_package", None)


def test_missing_dependency_of_a_module_raises(folder: Path) -> None:
    add_package(folder, "import not_installed", "")
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        main(["front"])
