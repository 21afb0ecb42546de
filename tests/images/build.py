"""Execute the Dockerfile's steps in a folder, without a container engine. The folder then has the image's files.

COPY, ENV, WORKDIR and RUN are executed as written, with `/opt`, `/app` and `/build` inside the folder. Two stages
change the base image itself and are replaced: `uv` by the uv that `make setup` has installed from the same hashes, and
`runtime` (which adds a user and removes pip) by nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.images.dockerfile import Dockerfile, Ignore, Instruction, Stage, UnsupportedSyntax, expand, read_dockerfile
from tests.parts import PROJECT

UV = PROJECT / ".tools" / "uv" / "bin" / "uv"
INSIDE = re.compile(r"(?<![\w./-])/(opt|app|build)\b")
REPLACED_STAGES = ("uv", "runtime")


class CannotBuild(Exception):
    """A step of the Dockerfile failed; the message contains the step."""


@dataclass
class Image:
    """A file system and its settings. Paths are paths in the image; `at` returns where they are on this machine."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    ports: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    health: tuple[str, ...] = ()

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def here(self, text: str) -> str:
        """Replace the image's folders in a command or PATH by their location on this machine."""
        return INSIDE.sub(lambda found: f"{self.root}/{found[1]}", text)

    def files(self, folder: str = "/app") -> set[str]:
        """Return all files below a folder, relative to it."""
        top = self.at(folder)
        return {path.relative_to(top).as_posix() for path in top.rglob("*") if not path.is_dir()}

    def command(self, environment: Mapping[str, str], *words: str) -> list[str]:
        """Return the entry point (or `words`) as a command for this machine, without our environment and privileges."""
        variables = {name: self.here(value) for name, value in self.environment.items()} | dict(environment)
        pairs = [f"{name}={value}" for name, value in variables.items()]
        run = [self.here(word) for word in words or self.entrypoint]
        return [*without_privileges(), "env", "-i", "-C", str(self.at(self.folder)), *pairs, *run]

    def protect(self) -> None:
        """Make all files read-only, like a read-only root file system."""
        for path in (self.root, *self.root.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555)


def without_privileges() -> list[str]:
    """Return a command prefix that drops all capabilities of root, who could otherwise ignore file modes."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"] if os.geteuid() == 0 else []


class Builder:
    """Builds targets of a Dockerfile for several services. Stages that do not depend on the service are built once."""

    def __init__(self, folder: Path, project: Path = PROJECT, text: str | None = None) -> None:
        self.project = project
        self.folder = folder
        self.file: Dockerfile = read_dockerfile(text or (project / "Dockerfile").read_text())
        self.ignore = Ignore((project / ".dockerignore").read_text())
        self._built: dict[tuple[str, str], Image] = {}

    def build(self, target: str, service: str) -> Image:
        """Build a target. Raises CannotBuild, UnsupportedSyntax."""
        key = (target, service if self._depends_on_service(target) else "")
        if key not in self._built:
            stage = self.file.stages[target]
            image = self._start(stage, service, self.folder / "-".join(filter(None, key)))
            for instruction in stage.instructions:
                self._execute(instruction, stage, image, service)
            self._built[key] = image
        return self._built[key]

    def _depends_on_service(self, target: str) -> bool:
        stage = self.file.stages[target]
        bases = [each.flags["from"] for each in stage.all("COPY") if "from" in each.flags] + [stage.base]
        return any(each.text == "SERVICE" for each in stage.all("ARG")) or any(
            self._depends_on_service(name) for name in bases if name in self.file.stages
        )

    def _start(self, stage: Stage, service: str, root: Path) -> Image:
        """Start a stage with the files and settings of its base. This machine stands for the base image."""
        if stage.base in self.file.stages:
            base = self.build(stage.base, service)
            shutil.copytree(base.root, root, symlinks=True, copy_function=os.link)
            inherited = replace(base, root=root, environment=dict(base.environment), labels=dict(base.labels))
            return replace(inherited, arguments={})
        root.mkdir(parents=True)
        return Image(root, environment={"PATH": f"{self._python()}:/usr/bin:/bin"})

    def _python(self) -> Path:
        """Return a folder that contains only `python`, like the base image."""
        folder = self.folder / "base"
        folder.mkdir(exist_ok=True)
        if not (folder / "python").is_symlink():
            (folder / "python").symlink_to(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
        return folder

    def _execute(self, instruction: Instruction, stage: Stage, image: Image, service: str) -> None:
        values = {**image.arguments, **image.environment}
        text = expand(instruction.text, values)
        match instruction.name:
            case "ARG":
                given = {**self.file.arguments, "SERVICE": service}
                name, _, default = text.partition("=")
                image.arguments[name] = given.get(name, default)
            case "ENV":
                image.environment.update({name: expand(value, values) for name, value in instruction.pairs})
            case "LABEL":
                image.labels.update({name: expand(value, values) for name, value in instruction.pairs})
            case "WORKDIR":
                image.folder = text
                image.at(text).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = text
            case "EXPOSE":
                image.ports = tuple(text.split())
            case "ENTRYPOINT":
                image.entrypoint = tuple(instruction.words)
            case "HEALTHCHECK":
                image.health = tuple(json.loads(instruction.text.removeprefix("CMD ").strip()))
            case "COPY":
                self._copy(replace(instruction, text=text), image, service)
            case "RUN":
                self._run(instruction.text, stage, image)
            case name:
                raise UnsupportedSyntax(name)

    def _copy(self, instruction: Instruction, image: Image, service: str) -> None:
        *sources, to = instruction.words
        other = self.build(instruction.flags["from"], service) if "from" in instruction.flags else None
        target = image.at(to if to.startswith("/") else f"{image.folder}/{to}")
        for source in sources:
            found = [other.at(source)] if other else sorted(self.project.glob(source))
            kept = [path for path in found if path.exists() and (other or self._is_in_build_context(path))]
            if not kept:
                raise CannotBuild(f"COPY {instruction.text}: {source} does not exist")
            for path in kept:
                self._put(path, target / path.name if to.endswith("/") and path.is_file() else target, other is None)

    def _is_in_build_context(self, path: Path) -> bool:
        files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        return any(not self.ignore.ignores(each.relative_to(self.project).as_posix()) for each in files)

    def _put(self, path: Path, target: Path, from_project: bool) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copy2(path, target)
            return

        def left_out(folder: str, names: list[str]) -> list[str]:
            inside = Path(folder).relative_to(self.project)
            files = [name for name in names if Path(folder, name).is_file()]
            return [name for name in files if self.ignore.ignores((inside / name).as_posix())] + ["__pycache__"]

        copy, ignored = (shutil.copy2, left_out) if from_project else (os.link, None)
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True, ignore=ignored, copy_function=copy)

    def _run(self, command: str, stage: Stage, image: Image) -> None:
        if stage.name in REPLACED_STAGES:
            if stage.name == "uv":
                image.at("/opt/uv/bin").mkdir(parents=True, exist_ok=True)
                image.at("/opt/uv/bin/uv").unlink(missing_ok=True)
                image.at("/opt/uv/bin/uv").symlink_to(UV)
            return
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        variables = {name: image.here(value) for name, value in {**image.arguments, **image.environment}.items()}
        # uv's cache makes this fast and possible without a network.
        environment = {**ours, **variables, "HOME": ours["HOME"], "UV_NO_CACHE": "0"}
        for offline in ({"UV_OFFLINE": "1"}, {}):
            done = subprocess.run(
                ["/bin/sh", "-c", image.here(command)],
                cwd=image.at(image.folder),
                env={**environment, **offline},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
        raise CannotBuild(f"RUN {command}\n{done.stdout}{done.stderr}")
