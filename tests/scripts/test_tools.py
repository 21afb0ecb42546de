"""How a program comes into .tools: from a release that is a folder here, from PATH, and never with a wrong checksum."""

import hashlib
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.tools import NotThisWay, Tool, bring, main, wanted

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
            "asked": ["--version"],
            "accepted": r"probe 1\.",
            "release": {
                "archive": f"file://{self.folder}/probe-{{version}}.tar.gz",
                "member": "probe-{version}/probe",
                **release,
            },
        }
        return Tool("probe", pins, self.folder / "tools")

    def pinned(self, checksum: str) -> Tool:
        platform = self.tool().filled("{os}-{arch}")
        return self.tool(sha256={platform: checksum})

    def published(self, sums: str) -> Tool:
        (self.folder / "sums.txt").write_text(sums)
        return self.tool(published=f"file://{self.folder}/sums.txt")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_a_release_with_the_pinned_checksum_can_be_run(release: Release) -> None:
    tool = release.pinned(sum_of(release.archive.read_bytes()))
    assert bring(tool).startswith("official release")
    assert tool.link.read_bytes() == PROGRAM
    assert tool.link.stat().st_mode & 0o111


def test_a_second_time_nothing_is_downloaded(release: Release) -> None:
    tool = release.pinned(sum_of(release.archive.read_bytes()))
    bring(tool)
    release.archive.unlink()
    assert bring(tool) == "is there"


def test_another_checksum_leaves_nothing_that_could_be_run(release: Release) -> None:
    tool = release.pinned("0" * 64)
    with pytest.raises(NotThisWay, match="does not have the checksum"):
        bring(tool)
    assert not tool.link.exists()
    assert not list((release.folder / "tools").rglob("probe"))


@pytest.mark.parametrize(
    "line",
    [
        "{archive}  probe-1.2.3.tar.gz\n{other}  another.tar.gz\n",
        "{other} *another\n{program} *probe-1.2.3/probe\n",
        "{archive}\n",
    ],
    ids=["of archives", "of files in them", "of one archive, without its name"],
)
def test_without_a_pin_the_published_checksum_counts(release: Release, line: str) -> None:
    archive = sum_of(release.archive.read_bytes())
    tool = release.published(line.format(archive=archive, program=sum_of(PROGRAM), other="1" * 64))
    assert bring(tool).startswith("official release")


def test_a_published_checksum_of_something_else_is_none(release: Release) -> None:
    with pytest.raises(NotThisWay, match="names neither"):
        bring(release.published(f"{'1' * 64}  another.tar.gz\n{'2' * 64}  a-third.tar.gz\n"))


def test_a_release_without_any_checksum_is_not_taken(release: Release) -> None:
    with pytest.raises(NotThisWay, match="no checksum is known"):
        bring(release.tool())


def cut_off_at_once(content: bytes) -> bytes:
    return content[:5]


def cut_off_in_the_middle(content: bytes) -> bytes:
    return content[: len(content) // 2]


def garbled_in_the_middle(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(len(content) - middle)


def another_thing(content: bytes) -> bytes:
    return b"<html>Please sign in.</html>"


@pytest.mark.parametrize("damage", [cut_off_at_once, cut_off_in_the_middle, garbled_in_the_middle, another_thing])
def test_a_damaged_archive_is_said_to_be_one_and_what_to_do(release: Release, damage: Callable[[bytes], bytes]) -> None:
    program = release.folder / "program"
    program.write_bytes(random.Random(0).randbytes(1_000_000))
    with tarfile.open(release.archive, "w:gz") as archive:
        archive.add(program, "probe-1.2.3/probe")
    damaged = damage(release.archive.read_bytes())
    release.archive.write_bytes(damaged)
    with pytest.raises(NotThisWay, match=rf"\({len(damaged)} bytes\) is cut off or damaged; run this again"):
        bring(release.pinned(sum_of(damaged)))
    assert not list((release.folder / "tools").rglob("probe"))


def test_a_program_on_path_is_taken_when_its_version_is_right(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, says in (("old", "probe 0.9"), ("new", "probe 1.9")):
        (release.folder / name).write_text(f"#!/bin/sh\necho {says}\n")
        (release.folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{release.folder}:/usr/bin:/bin")
    tool = release.tool(names=("old", "new"))
    assert bring(tool) == f"from {release.folder / 'new'}"
    assert tool.link.resolve() == release.folder / "new"


def test_every_way_that_failed_is_named(release: Release) -> None:
    release.archive.unlink()
    with pytest.raises(NotThisWay, match=r"no download from file://.*probe-1\.2\.3\.tar\.gz"):
        bring(release.tool())


def test_the_pins_are_whole_and_an_unknown_name_is_refused() -> None:
    assert [tool.name for tool in wanted(())] == ["helm", "otelcol", "jaeger", "promtool"]
    for tool in wanted(()):
        for checksum in tool.pins.get("release", {}).get("sha256", {}).values():
            assert len(bytes.fromhex(checksum)) == 32
    with pytest.raises(SystemExit, match="no tool terraform"):
        main(["terraform"])
