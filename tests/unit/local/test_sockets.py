"""The paths of a local Restate's sockets: short, and in a folder that only its owner can use."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.local.process import StartFailed
from switchboard.local.sockets import PATH_MAX_BYTES, sockets_of


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short path, as XDG_RUNTIME_DIR."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def own_folder(runtime: Path) -> Path:
    return runtime / f"switchboard-{os.getuid()}"


def test_sockets_of_a_long_path_are_short(tmp_path: Path, runtime: Path) -> None:
    data = tmp_path / ("long" * 30) / "restate"
    sockets = sockets_of(data)
    for socket in (sockets.ingress, sockets.admin, sockets.node):
        assert len(os.fsencode(socket)) <= PATH_MAX_BYTES
        assert socket.is_relative_to(runtime)
    assert sockets.base.resolve() == data


def test_other_users_cannot_reach_the_sockets(tmp_path: Path, runtime: Path) -> None:
    sockets_of(tmp_path / "restate")
    assert stat.S_IMODE(own_folder(runtime).stat().st_mode) == 0o700


def test_same_data_has_the_same_sockets_and_other_data_others(tmp_path: Path, runtime: Path) -> None:
    first, other = sockets_of(tmp_path / "a"), sockets_of(tmp_path / "b")
    assert sockets_of(tmp_path / "a") == first
    assert other.base != first.base


def test_old_links_to_removed_data_are_removed(tmp_path: Path, runtime: Path) -> None:
    old, new = (sockets_of(tmp_path / name).base for name in ("old", "new"))
    for name in ("old", "new"):
        (tmp_path / name).rmdir()
    os.utime(old, (0, 0), follow_symlinks=False)
    own = sockets_of(tmp_path / "own").base
    # The data of `new` may be of a mesh that is being reset at this moment.
    assert set(own_folder(runtime).iterdir()) == {new, own}


@pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
def test_folder_that_others_may_have_made_is_refused(tmp_path: Path, runtime: Path, kind: str) -> None:
    folder = own_folder(runtime)
    if kind == "open to others":
        folder.mkdir()
        folder.chmod(0o755)
    elif kind == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch()
    with pytest.raises(StartFailed, match="is not a folder that only you can use"):
        sockets_of(tmp_path / "restate")


@pytest.mark.parametrize("runtime", ["", "relative", "/does/not/exist", "/tmp/" + "x" * 80])
def test_unusable_runtime_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    made = [Path(runtime)] if "xxx" in runtime else []
    for folder in made:
        folder.mkdir(exist_ok=True)
    try:
        assert sockets_of(tmp_path / "restate").base.parent == Path(f"/tmp/switchboard-{os.getuid()}")
    finally:
        for folder in made:
            folder.rmdir()
