"""Brings the programs that run beside a mesh (tools.toml names and pins them) into .tools/bin."""

import gzip
import hashlib
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / ".tools"

ASK_TIMEOUT = timedelta(seconds=20)
DOWNLOAD_TIMEOUT = timedelta(seconds=30)
"""For a connection and each read of it."""

BUILD_TIMEOUT = timedelta(minutes=40)
WORDS_MAX = 400

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.ReadError)
"""What reading an archive ends with that came only in part, or otherwise than it was sent."""

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class NotThisWay(Exception):
    """A program cannot be had in one of the ways; the message says why, and the next way is tried."""


@dataclass(frozen=True)
class Tool:
    """A section of tools.toml. `work` is where its files are, kept apart by version and by what it is made of."""

    name: str
    pins: Mapping[str, Any]
    tools: Path = TOOLS

    @property
    def version(self) -> str:
        return str(self.pins["version"])

    @property
    def work(self) -> Path:
        made_of = repr([self.pins.get(way) for way in ("release", "go", "debian")])
        if manifest := self.pins.get("go", {}).get("manifest"):
            made_of += (HERE / manifest).read_text()
        return self.tools / f"{self.name}-{self.version}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"

    @property
    def binary(self) -> Path:
        return self.work / self.name

    @property
    def link(self) -> Path:
        return self.tools / "bin" / self.name

    def filled(self, text: str) -> str:
        machine = platform.machine().lower()
        return text.format(version=self.version, os=sys.platform, arch=ARCHITECTURES.get(machine, machine))


def bring(tool: Tool) -> str:
    """Make `.tools/bin/NAME` run it; how it came, in a few words. Raises NotThisWay with every way's reason."""
    if tool.binary.exists():
        return link(tool, tool.binary, "is there")
    if found := on_path(tool):
        return link(tool, found, f"from {found}")
    reasons = []
    for way in (released, built, packaged):
        began = time.monotonic()
        try:
            how = way(tool)
        except NotThisWay as reason:
            reasons.append(str(reason))
        else:
            return link(tool, tool.binary, f"{how}, in {time.monotonic() - began:.0f} s")
    raise NotThisWay("; ".join(reason for reason in reasons if reason))


def link(tool: Tool, target: Path, how: str) -> str:
    tool.link.parent.mkdir(parents=True, exist_ok=True)
    tool.link.unlink(missing_ok=True)
    tool.link.symlink_to(target)
    return how


def on_path(tool: Tool) -> Path | None:
    """A program of a right version that somebody has installed."""
    for name in tool.pins["names"]:
        found = shutil.which(name)
        if found and Path(found).absolute() != tool.link.absolute() and accepted(tool, found):
            return Path(found)
    return None


def accepted(tool: Tool, binary: str) -> bool:
    try:
        answer = subprocess.run(
            [binary, *tool.pins["asked"]], capture_output=True, text=True, timeout=ASK_TIMEOUT.seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(tool.pins["accepted"], answer.stdout + answer.stderr, re.DOTALL) is not None


def released(tool: Tool) -> str:
    """The official release. What does not have the expected checksum is never unpacked to where it could be run."""
    release = tool.pins.get("release")
    if release is None:
        raise NotThisWay("")
    url, member = tool.filled(release["archive"]), tool.filled(release["member"])
    with scratch(tool) as folder:
        archive, unpacked = folder / url.rpartition("/")[2], folder / tool.name
        download(url, archive)
        unpack(archive, member, unpacked)
        verify(tool, release, archive, member, unpacked)
        install(tool, unpacked)
    return "official release"


def verify(tool: Tool, release: Mapping[str, Any], archive: Path, member: str, unpacked: Path) -> None:
    """Against the pinned sum of the archive; without one, against what the release publishes of it or of its files."""
    pinned = release.get("sha256", {}).get(tool.filled("{os}-{arch}"))
    if pinned is None and "published" not in release:
        raise NotThisWay(f"no checksum is known for {archive.name}")
    wanted = pinned or published_sum(tool.filled(release["published"]), archive, member)
    if wanted not in {sha256(archive), sha256(unpacked)}:
        raise NotThisWay(f"{archive.name} does not have the checksum {wanted}")


def published_sum(url: str, archive: Path, member: str) -> str:
    sums = archive.with_name("sums")
    download(url, sums)
    lines = [line.split() for line in sums.read_text().splitlines() if line.strip()]
    for words in lines:
        if words[-1].lstrip("*") in (archive.name, member) or len(words) == len(lines) == 1:
            return words[0]
    raise NotThisWay(f"{url} names neither {archive.name} nor {member}")


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def download(url: str, to: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT.seconds) as answer, to.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, urllib.error.URLError) as error:
        raise NotThisWay(f"no download from {url} ({getattr(error, 'reason', error)})") from error


def unpack(archive: Path, member: str, to: Path) -> None:
    try:
        with tarfile.open(archive) as opened:
            source = opened.extractfile(member)
            assert source is not None, f"{member} is no file"
            with source, to.open("wb") as file:
                shutil.copyfileobj(source, file)
    except DAMAGED as error:
        raise NotThisWay(
            f"{archive.name} ({archive.stat().st_size} bytes) is cut off or damaged; run this again, and if it says "
            "the same, see what comes in its place, or put the program on PATH yourself"
        ) from error
    except (KeyError, tarfile.TarError) as error:
        raise NotThisWay(f"{archive.name} is not an archive with {member}") from error
    to.chmod(0o755)


def built(tool: Tool) -> str:
    """Made with Go, where Go is on the machine."""
    go = tool.pins.get("go")
    if go is None:
        raise NotThisWay("")
    if shutil.which("go") is None:
        raise NotThisWay("no Go to build it with")
    flags = ["-trimpath", f"-ldflags=-s -w {tool.filled(go.get('flags', ''))}"]
    with scratch(tool) as folder:
        if "install" in go:
            run(["go", "install", *flags, tool.filled(go["install"])], folder, GOBIN=str(folder))
            install(tool, folder / tool.name)
        elif "builder" in go:
            run(["go", "run", tool.filled(go["builder"]), "--config", str(HERE / go["manifest"])], folder)
            install(tool, folder / "build" / tool.name)
        else:
            # A module with `replace` lines is refused by `go install`; its own folder can be built in.
            sources = run(["go", "mod", "download", "-json", go["module"]], folder)
            place = re.search(r'"Dir": "(.*)"', sources)
            assert place is not None, sources
            run(["go", "build", *flags, "-o", str(folder / tool.name), go["package"]], Path(place[1]))
            install(tool, folder / tool.name)
    # A module may be of another version than the release.
    version = f", which is {go['version']}" if "version" in go else ""
    return f"built with Go from {tool.filled(next(iter(go.values())))}{version}"


def packaged(tool: Tool) -> str:
    """Out of Debian's package, unpacked beside the others: nothing is installed, no service is started."""
    debian = tool.pins.get("debian")
    if debian is None:
        raise NotThisWay("")
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotThisWay(f"no Debian to get the package {debian['package']} from")
    with scratch(tool) as folder:
        run(["apt-get", "download", debian["package"]], folder)
        run(["dpkg", "-x", str(next(folder.glob("*.deb"))), "unpacked"], folder)
        install(tool, folder / "unpacked" / debian["member"])
    return f"Debian's package {debian['package']}"


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """What it printed. Raises NotThisWay with its last words."""
    try:
        answer = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "CGO_ENABLED": "0", **environment},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT.total_seconds(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotThisWay(f"`{' '.join(command)}` took longer than {BUILD_TIMEOUT}") from error
    if answer.returncode:
        words = " / ".join((answer.stderr or answer.stdout).strip().splitlines())[-WORDS_MAX:]
        raise NotThisWay(f"`{' '.join(command)}` failed: {words}")
    return answer.stdout


class scratch:  # noqa: N801  # used as a function, like contextlib's own
    """A folder beside the tool's, on the same disk, that is gone afterwards."""

    def __init__(self, tool: Tool) -> None:
        tool.tools.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=f"{tool.name}-", dir=tool.tools)

    def __enter__(self) -> Path:
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def install(tool: Tool, made: Path) -> None:
    """In one step, so that what is there is whole however this ends."""
    tool.work.mkdir(parents=True, exist_ok=True)
    made.replace(tool.binary)


def wanted(names: Sequence[str]) -> Iterator[Tool]:
    pins = tomllib.loads((HERE / "tools.toml").read_text())
    for name in names or pins:
        if name not in pins:
            raise SystemExit(f"There is no tool {name}; there are {', '.join(pins)}.")
        yield Tool(name, pins[name])


def main(names: Sequence[str]) -> int:
    """Bring all, or those that are named; 1 when one could not be had. The others are there all the same."""
    missing = 0
    for tool in wanted(names):
        try:
            how = bring(tool)
        except NotThisWay as reasons:
            missing = 1
            print(f"{tool.name:9} {tool.version:8} could not be had: {reasons}", file=sys.stderr)
        else:
            print(f"{tool.name:9} {tool.version:8} {how}", flush=True)
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
