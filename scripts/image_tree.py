"""Copies what one service's image holds: the shared package, the service's own folder, and what these import."""

import shutil
import sys
from collections.abc import Iterator
from modulefinder import ModuleFinder
from pathlib import Path

SHARED = "switchboard"
SERVICES = "services"
FOR_TESTS = frozenset({Path(SHARED, "testing.py")})


class NoSuchService(Exception):
    """There is no service of that name; the message names those that there are."""


def services(root: Path) -> list[str]:
    """What can be made an image of: the folders that `python -m services.NAME` runs."""
    return sorted(path.parent.name for path in (root / SERVICES).glob("*/__main__.py"))


def image_files(service: str, root: Path) -> list[Path]:
    """The files of a service's image, relative to `root`, sorted. Raises NoSuchService."""
    if service not in (known := services(root)):
        raise NoSuchService(f"there is no service {service!r}; SERVICE is one of {', '.join(known)}")
    own = set(files_of(root, Path(SHARED))) | set(files_of(root, Path(SERVICES, service)))
    return sorted((own | imported(root, own)) - FOR_TESTS)


def files_of(root: Path, folder: Path) -> Iterator[Path]:
    for path in (root / folder).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root)


def imported(root: Path, files: set[Path]) -> set[Path]:
    """What these import of the project's own files, wherever it stands in them, and what that imports in turn."""
    finder = ModuleFinder(path=[str(root)])
    for path in sorted(file for file in files if file.suffix == ".py"):
        finder.import_hook(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    found: list[str | None] = [getattr(module, "__file__", None) for module in finder.modules.values()]
    return {Path(path).relative_to(root) for path in found if path}


def copy(files: list[Path], root: Path, to: Path) -> None:
    for file in files:
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / file, to / file)


def main(service: str, to: Path) -> int:
    root = Path.cwd()
    try:
        copy(image_files(service, root), root, to)
    except NoSuchService as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
