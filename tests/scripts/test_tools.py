"""scripts.tools installs programs from releases (here a folder) or PATH, and never with a wrong checksum."""

import hashlib
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.tools import Tool, Unavailable, install_debian_package, main, newest_match, provide, requested_tools

PROGRAM = b"#!/bin/sh\necho probe 1.2.3\n"


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Release:
    """A release of `probe` 1.2.3, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder / "probe-1.2.3.tar.gz"
        program = folder / "program"
        program.write_bytes(PROGRAM)
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(program, "probe-1.2.3/probe")

    def tool(self, *, names: tuple[str, ...] = (), **release: Any) -> Tool:
        pins = {
            "version": "1.2.3",
            "names": list(names),
            "version_arguments": ["--version"],
            "accepted": r"probe 1\.",
            "release": {
                "archive": f"file://{self.folder}/probe-{{version}}.tar.gz",
                "member": "probe-{version}/probe",
                **release,
            },
        }
        return Tool("probe", pins, self.folder / "tools")

    def pinned(self, checksum: str) -> Tool:
        platform = self.tool().expand("{os}-{arch}")
        return self.tool(sha256={platform: checksum})

    def published(self, sums: str) -> Tool:
        (self.folder / "sums.txt").write_text(sums)
        return self.tool(published=f"file://{self.folder}/sums.txt")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_release_with_pinned_checksum_is_installed(release: Release) -> None:
    tool = release.pinned(sum_of(release.archive.read_bytes()))
    assert provide(tool).startswith("official release")
    assert tool.link.read_bytes() == PROGRAM
    assert tool.link.stat().st_mode & 0o111


def test_installed_program_is_not_downloaded_again(release: Release) -> None:
    tool = release.pinned(sum_of(release.archive.read_bytes()))
    provide(tool)
    release.archive.unlink()
    assert provide(tool) == "already installed"


def test_release_with_wrong_checksum_is_not_installed(release: Release) -> None:
    tool = release.pinned("0" * 64)
    with pytest.raises(Unavailable, match="does not have the checksum"):
        provide(tool)
    assert not tool.link.exists()
    assert not list((release.folder / "tools").rglob("probe"))


@pytest.mark.parametrize(
    "line",
    [
        "{archive}  probe-1.2.3.tar.gz\n{other}  another.tar.gz\n",
        "{other} *another\n{program} *probe-1.2.3/probe\n",
        "{archive}\n",
    ],
    ids=["archives", "files in archives", "one archive without its name"],
)
def test_published_checksum_is_used_without_a_pin(release: Release, line: str) -> None:
    archive = sum_of(release.archive.read_bytes())
    tool = release.published(line.format(archive=archive, program=sum_of(PROGRAM), other="1" * 64))
    assert provide(tool).startswith("official release")


def test_published_checksum_of_other_files_is_not_used(release: Release) -> None:
    with pytest.raises(Unavailable, match="lists neither"):
        provide(release.published(f"{'1' * 64}  another.tar.gz\n{'2' * 64}  a-third.tar.gz\n"))


def test_release_without_checksum_is_not_installed(release: Release) -> None:
    with pytest.raises(Unavailable, match="there is no checksum"):
        provide(release.tool())


def cut_off_at_the_start(content: bytes) -> bytes:
    return content[:5]


def cut_off_in_the_middle(content: bytes) -> bytes:
    return content[: len(content) // 2]


def corrupted_in_the_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(len(content) - middle)


def another_page(content: bytes) -> bytes:
    return b"<html>Please sign in.</html>"


@pytest.mark.parametrize("damage", [cut_off_at_the_start, cut_off_in_the_middle, corrupted_in_the_middle, another_page])
def test_damaged_archive_is_reported_with_advice(release: Release, damage: Callable[[bytes], bytes]) -> None:
    program = release.folder / "program"
    program.write_bytes(random.Random(0).randbytes(1_000_000))
    with tarfile.open(release.archive, "w:gz") as archive:
        archive.add(program, "probe-1.2.3/probe")
    damaged = damage(release.archive.read_bytes())
    release.archive.write_bytes(damaged)
    with pytest.raises(Unavailable, match=rf"\({len(damaged)} bytes\) is incomplete or corrupted. Run this again"):
        provide(release.pinned(sum_of(damaged)))
    assert not list((release.folder / "tools").rglob("probe"))


def test_program_on_path_is_used_if_its_version_is_accepted(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, output in (("old", "probe 0.9"), ("new", "probe 1.9")):
        (release.folder / name).write_text(f"#!/bin/sh\necho {output}\n")
        (release.folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{release.folder}:/usr/bin:/bin")
    tool = release.tool(names=("old", "new"))
    assert provide(tool) == f"from {release.folder / 'new'}"
    assert tool.link.resolve() == release.folder / "new"


def test_error_lists_every_source_that_failed(release: Release) -> None:
    release.archive.unlink()
    with pytest.raises(Unavailable, match=r"cannot download file://.*probe-1\.2\.3\.tar\.gz"):
        provide(release.tool())


def test_pins_have_valid_checksums_and_unknown_names_are_rejected() -> None:
    expected = "helm otelcol jaeger promtool actionlint chromium postgres redis-server"
    assert [tool.name for tool in requested_tools(())] == expected.split()
    for tool in requested_tools(()):
        for checksum in tool.pins.get("release", {}).get("sha256", {}).values():
            assert len(bytes.fromhex(checksum)) == 32
    with pytest.raises(SystemExit, match="no tool terraform"):
        main(["terraform"])


def test_newest_version_of_an_installed_package_is_found(tmp_path: Path) -> None:
    for version in ("9", "15", "14"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    member = str(tmp_path.relative_to("/") / "*" / "bin" / "postgres")
    assert newest_match(member) == tmp_path / "15" / "bin" / "postgres"
    with pytest.raises(Unavailable, match="has no"):
        newest_match(member + "-absent")


def test_files_of_a_package_are_written_before_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's package would otherwise start a server. A file that is there already belongs to the machine."""
    server, settings, kept = tmp_path / "server", tmp_path / "etc" / "settings", tmp_path / "kept"
    kept.write_text("mine")
    apt = f"#!/bin/sh\nif [ $1 = install ]; then cat {settings} > {server}; fi\n"
    programs = {"apt-get": apt, "dpkg": "#!/bin/sh\n"}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    files = {str(settings): "no server", str(kept): "ours"}
    debian = {"package": "server", "member": str(server.relative_to("/")), "install": True, "files": files}
    tool = Tool("server", {"version": "debian", "debian": debian}, tmp_path / "tools")
    assert install_debian_package(tool) == "Debian's package server"
    assert (server.read_text(), kept.read_text()) == ("no server", "mine")
    assert tool.binary.resolve() == server
