"""Copy the files of one service's image: its module's package, and the project's files that it imports."""

import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from modulefinder import ModuleFinder
from pathlib import Path

MESH_FILE = "mesh.toml"
BUILT_IN = {"gateway": "switchboard.gateway", "demo_model": "switchboard.demo_model"}
FRAMEWORK = "switchboard"
START = Path("switchboard/run.py")
"""The program that starts the service in the image."""


class NoSuchService(Exception):
    """The service is unknown; the message lists the known ones."""


def services(root: Path) -> Mapping[str, str]:
    """Return the module of each service, by name: those in mesh.toml, and the framework's own."""
    named = tomllib.loads((root / MESH_FILE).read_text())["services"]
    return {**{name: service["module"] for name, service in sorted(named.items())}, **BUILT_IN}


def image_files(service: str, root: Path) -> list[Path]:
    """Return the files of a service's image, relative to `root`, sorted. Raises NoSuchService."""
    if service not in (known := services(root)):
        raise NoSuchService(f"There is no service {service!r}. SERVICE must be one of {', '.join(sorted(known))}")
    package = Path(*known[service].split("."))
    own = set(files_of(root, package)) | {START}
    return sorted(own | imported(root, own) | {Path(MESH_FILE)})


def files_of(root: Path, package: Path) -> Iterator[Path]:
    """Yield all files of a package, or the one file of a module."""
    if (root / package.with_suffix(".py")).is_file():
        yield package.with_suffix(".py")
    for path in (root / package).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root)


def imported(root: Path, files: set[Path]) -> set[Path]:
    """Return the project's own files that these import, directly or indirectly, at any place in the file.

    A package of the framework that is imported brings the data files in its folder.
    """
    finder = ModuleFinder(path=[str(root)])
    for path in sorted(file for file in files if file.suffix == ".py"):
        if (root / path.parent / "__init__.py").exists():
            finder.import_hook(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        else:
            # A program that is started or loaded by its path, such as a migration.
            finder.load_file(str(root / path))
    found: list[str | None] = [getattr(module, "__file__", None) for module in finder.modules.values()]
    modules = {Path(path) for path in found if path}
    packages = [
        module.parent for module in modules if module.name == "__init__.py" and root / FRAMEWORK in module.parents
    ]
    data = {file for package in packages for file in package.iterdir() if is_data(file)}
    return {path.relative_to(root) for path in modules | data}


def is_data(file: Path) -> bool:
    return file.is_file() and file.suffix not in (".py", ".pyc")


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
