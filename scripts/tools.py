"""Install the programs that tools.toml pins into .tools/bin: those that run beside a mesh, and linters."""

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

VERSION_TIMEOUT = timedelta(seconds=20)
DOWNLOAD_TIMEOUT = timedelta(seconds=30)
"""Timeout of the connection and of each read."""

BUILD_TIMEOUT = timedelta(minutes=40)
ERROR_MAX_CHARACTERS = 400

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.ReadError)
"""Errors when reading an archive that is incomplete or corrupted."""

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Unavailable(Exception):
    """A program cannot be installed in one of the ways; the message says why. The next way is tried."""


@dataclass(frozen=True)
class Tool:
    """A section of tools.toml. `work` is the folder of its files, separate for each version and set of pins."""

    name: str
    pins: Mapping[str, Any]
    tools: Path = TOOLS

    @property
    def version(self) -> str:
        return str(self.pins["version"])

    @property
    def work(self) -> Path:
        inputs = repr([self.pins.get(source) for source in ("release", "go", "debian")])
        if manifest := self.pins.get("go", {}).get("manifest"):
            inputs += (HERE / manifest).read_text()
        return self.tools / f"{self.name}-{self.version}-{hashlib.sha256(inputs.encode()).hexdigest()[:8]}"

    @property
    def binary(self) -> Path:
        return self.work / self.name

    @property
    def link(self) -> Path:
        return self.tools / "bin" / self.name

    def expand(self, text: str) -> str:
        machine = platform.machine().lower()
        return text.format(version=self.version, os=sys.platform, arch=ARCHITECTURES.get(machine, machine))


def provide(tool: Tool) -> str:
    """Make `.tools/bin/NAME` run it and return its source in a few words. Raises Unavailable with all reasons."""
    if tool.binary.exists():
        return link(tool, tool.binary, "already installed")
    if found := find_on_path(tool):
        return link(tool, found, f"from {found}")
    reasons = []
    for install_from in (install_release, build_with_go, unpack_debian_package, install_debian_package):
        started = time.monotonic()
        try:
            how = install_from(tool)
        except Unavailable as reason:
            reasons.append(str(reason))
        else:
            return link(tool, tool.binary, f"{how}, in {time.monotonic() - started:.0f} s")
    raise Unavailable("; ".join(reason for reason in reasons if reason))


def link(tool: Tool, target: Path, how: str) -> str:
    tool.link.parent.mkdir(parents=True, exist_ok=True)
    tool.link.unlink(missing_ok=True)
    tool.link.symlink_to(target)
    return how


def find_on_path(tool: Tool) -> Path | None:
    """Return an installed program whose version is accepted."""
    for name in tool.pins["names"]:
        found = shutil.which(name)
        if found and Path(found).absolute() != tool.link.absolute() and has_accepted_version(tool, found):
            return Path(found)
    return None


def has_accepted_version(tool: Tool, binary: str) -> bool:
    try:
        answer = subprocess.run(
            [binary, *tool.pins["version_arguments"]],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT.seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(tool.pins["accepted"], answer.stdout + answer.stderr, re.DOTALL) is not None


def install_release(tool: Tool) -> str:
    """Install the official release. A program with a wrong checksum never gets to a place where it can be run."""
    release = tool.pins.get("release")
    if release is None:
        raise Unavailable("")
    url, member = tool.expand(release["archive"]), tool.expand(release["member"])
    with scratch(tool) as folder:
        archive, unpacked = folder / url.rpartition("/")[2], folder / tool.name
        download(url, archive)
        unpack(archive, member, unpacked)
        verify(tool, release, archive, member, unpacked)
        install(tool, unpacked)
    return "official release"


def verify(tool: Tool, release: Mapping[str, Any], archive: Path, member: str, unpacked: Path) -> None:
    """Compare with the archive's pinned checksum, or with the one that the release publishes for it or its files."""
    pinned = release.get("sha256", {}).get(tool.expand("{os}-{arch}"))
    if pinned is None and "published" not in release:
        raise Unavailable(f"there is no checksum for {archive.name}")
    expected = pinned or published_sum(tool.expand(release["published"]), archive, member)
    if expected not in {sha256(archive), sha256(unpacked)}:
        raise Unavailable(f"{archive.name} does not have the checksum {expected}")


def published_sum(url: str, archive: Path, member: str) -> str:
    sums = archive.with_name("sums")
    download(url, sums)
    lines = [line.split() for line in sums.read_text().splitlines() if line.strip()]
    for words in lines:
        if words[-1].lstrip("*") in (archive.name, member) or len(words) == len(lines) == 1:
            return words[0]
    raise Unavailable(f"{url} lists neither {archive.name} nor {member}")


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def download(url: str, to: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT.seconds) as answer, to.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, urllib.error.URLError) as error:
        raise Unavailable(f"cannot download {url} ({getattr(error, 'reason', error)})") from error


def unpack(archive: Path, member: str, to: Path) -> None:
    try:
        with tarfile.open(archive) as opened:
            source = opened.extractfile(member)
            assert source is not None, f"{member} is not a file"
            with source, to.open("wb") as file:
                shutil.copyfileobj(source, file)
    except DAMAGED as error:
        raise Unavailable(
            f"{archive.name} ({archive.stat().st_size} bytes) is incomplete or corrupted. Run this again. If it fails "
            "again, check what the URL returns, or put the program on PATH yourself"
        ) from error
    except (KeyError, tarfile.TarError) as error:
        raise Unavailable(f"{archive.name} is not an archive with {member}") from error
    to.chmod(0o755)


def build_with_go(tool: Tool) -> str:
    """Build it with Go, if the machine has Go."""
    go = tool.pins.get("go")
    if go is None:
        raise Unavailable("")
    if shutil.which("go") is None:
        raise Unavailable("Go is not installed, so it cannot be built")
    flags = ["-trimpath", f"-ldflags=-s -w {tool.expand(go.get('flags', ''))}"]
    with scratch(tool) as folder:
        if "install" in go:
            run(["go", "install", *flags, tool.expand(go["install"])], folder, GOBIN=str(folder))
            install(tool, folder / tool.name)
        elif "builder" in go:
            run(["go", "run", tool.expand(go["builder"]), "--config", str(HERE / go["manifest"])], folder)
            install(tool, folder / "build" / tool.name)
        else:
            # `go install` rejects a module with `replace` lines, but `go build` works in the module's folder.
            sources = run(["go", "mod", "download", "-json", go["module"]], folder)
            place = re.search(r'"Dir": "(.*)"', sources)
            assert place is not None, sources
            run(["go", "build", *flags, "-o", str(folder / tool.name), go["package"]], Path(place[1]))
            install(tool, folder / tool.name)
    # The module may have another version than the release.
    version = f", which is {go['version']}" if "version" in go else ""
    return f"built with Go from {tool.expand(next(iter(go.values())))}{version}"


def unpack_debian_package(tool: Tool) -> str:
    """Unpack Debian's package without installing it, so that no service is started."""
    debian = debian_pins(tool)
    if debian.get("install"):
        raise Unavailable("")
    with scratch(tool) as folder:
        run(["apt-get", "download", debian["package"]], folder)
        run(["dpkg", "-x", str(next(folder.glob("*.deb"))), "unpacked"], folder)
        install(tool, folder / "unpacked" / debian["member"])
    return f"Debian's package {debian['package']}"


def install_debian_package(tool: Tool) -> str:
    """Install Debian's package and those that it needs. Only for programs that no service starts.

    `files` are written before, for example so that a package starts no service. Existing ones are kept.
    """
    debian = debian_pins(tool)
    if not debian.get("install"):
        raise Unavailable("")
    if os.geteuid() != 0:
        raise Unavailable(f"only root can install it; run `apt-get install {debian['package']}`")
    for name, text in debian.get("files", {}).items():
        write_new(Path(name), text)
    with scratch(tool) as folder:
        run(["apt-get", "update"], folder)
        install = ["apt-get", "install", "--yes", "--no-install-recommends", debian["package"]]
        run(install, folder, DEBIAN_FRONTEND="noninteractive")
    tool.work.mkdir(parents=True, exist_ok=True)
    tool.binary.symlink_to(newest_match(debian["member"]))
    return f"Debian's package {debian['package']}"


def write_new(file: Path, text: str) -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def newest_match(member: str) -> Path:
    """Return an installed file of a package. Its path may have a `*` for a number, of which the highest is taken."""
    found = sorted(Path("/").glob(member), key=lambda path: [int(part) for part in path.parts if part.isdecimal()])
    if not found:
        raise Unavailable(f"the installed package has no {member}")
    return found[-1]


def debian_pins(tool: Tool) -> Mapping[str, Any]:
    """Return the package's section. Raises Unavailable if there is none, or if this is not Debian."""
    debian: Mapping[str, Any] | None = tool.pins.get("debian")
    if debian is None:
        raise Unavailable("")
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Unavailable(f"this is not Debian, so there is no package {debian['package']}")
    return debian


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """Return the command's output. Raises Unavailable with the end of its error output."""
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
        raise Unavailable(f"`{' '.join(command)}` took longer than {BUILD_TIMEOUT}") from error
    if answer.returncode:
        message = " / ".join((answer.stderr or answer.stdout).strip().splitlines())[-ERROR_MAX_CHARACTERS:]
        raise Unavailable(f"`{' '.join(command)}` failed: {message}")
    return answer.stdout


class scratch:  # noqa: N801  # used as a function, like contextlib's own
    """A temporary folder beside the tool's, on the same disk."""

    def __init__(self, tool: Tool) -> None:
        tool.tools.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=f"{tool.name}-", dir=tool.tools)

    def __enter__(self) -> Path:
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def install(tool: Tool, program: Path) -> None:
    """Move the program in one step, so that an interruption leaves no partial file."""
    tool.work.mkdir(parents=True, exist_ok=True)
    program.replace(tool.binary)


def requested_tools(names: Sequence[str]) -> Iterator[Tool]:
    pins = tomllib.loads((HERE / "tools.toml").read_text())
    for name in names or [name for name, each in pins.items() if not each.get("by_name")]:
        if name not in pins:
            raise SystemExit(f"There is no tool {name}. Use one of {', '.join(pins)}.")
        yield Tool(name, pins[name])


def main(names: Sequence[str]) -> int:
    """Install the named tools, or all without `by_name`. Return 1 if one could not be installed, after all others."""
    missing = 0
    for tool in requested_tools(names):
        try:
            how = provide(tool)
        except Unavailable as reasons:
            missing = 1
            print(f"{tool.name:9} {tool.version:8} could not be installed: {reasons}", file=sys.stderr)
        else:
            print(f"{tool.name:9} {tool.version:8} {how}", flush=True)
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
