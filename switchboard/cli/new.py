"""Makes the folder of a new mesh from the templates in this package."""

import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from switchboard.cli.values import values_text
from switchboard.local.problem import InvalidCommand
from switchboard.runtime.mesh_file import IN_WORDS, MESH_FILE, MESH_NAME, read_mesh_file

DISTRIBUTION = "switchboard-mesh"
TEMPLATES = files("switchboard") / "templates" / "project"

SUFFIX = ".tmpl"
"""Every template's file name ends with it, so that no linter, type checker or test runner takes it for a module."""

VALUES_FILE = "values.yaml"
VALUES_HEADER = """\
# Values of the chart agent-mesh, made from mesh.toml. After a change there: switchboard values > values.yaml
# `null` removes a service that the chart has by default.
"""

FOLDER_MODE = 0o755

TEMPLATE_FOLDERS = {"tests", "wheels"}
"""Folders of every project, beside that of its package."""

TEMPLATE_SERVICES = {"Orders", "IdentityChecks", "Session", "Summaries"}
"""Restate services of every project. Its agent is a Restate service too, and needs another name."""


def new(name: str, parent: Path) -> str:
    """Make the folder `name` in `parent` and return the next steps. Raises InvalidCommand; then no file is left."""
    module = module_name(name)
    folder = parent / name
    refuse_used(folder, name)
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))
        try:
            write_project(draft, name, module)
            draft.chmod(FOLDER_MODE)
            draft.rename(folder)  # Also onto an empty folder.
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise InvalidCommand(f"Cannot make {folder}: {error.strerror}.") from error
    return next_steps(name)


def module_name(name: str) -> str:
    """Return the name of the project's package. Raises InvalidCommand for a name that cannot be one."""
    if not re.fullmatch(MESH_NAME, name):
        raise InvalidCommand(f"{name!r} cannot be a project's name: {IN_WORDS[MESH_NAME]}.")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or is_installed(module):
        raise InvalidCommand(f"{name!r} cannot be a project's name: Python has a module or keyword {module!r} already.")
    if module in TEMPLATE_FOLDERS:
        raise InvalidCommand(f"{name!r} cannot be a project's name: every project has a folder {module!r} already.")
    return module


def is_installed(module: str) -> bool:
    found = importlib.util.find_spec(module)
    # A folder without code in the current folder is a namespace package, which has no origin.
    return found is not None and found.origin is not None


def refuse_used(folder: Path, name: str) -> None:
    """Raise InvalidCommand unless the folder is missing or empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    what = "is a folder that is not empty" if folder.is_dir() else "is a file"
    raise InvalidCommand(f"{folder} {what}; nothing was changed. Choose another name than {name!r}, or another folder.")


def write_project(folder: Path, name: str, module: str) -> None:
    """Write every template into the folder, and the chart's values that follow from its mesh.toml."""
    words = {"name": name, "module": module, "agent": agent_name(name), "version": version(DISTRIBUTION)}
    for path, template in templates(TEMPLATES, PurePosixPath()):
        target = folder / filled(path.as_posix(), words).removesuffix(SUFFIX)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled(template.read_text(), words))
    values = values_text(read_mesh_file(folder / MESH_FILE))
    (folder / VALUES_FILE).write_text(VALUES_HEADER + values)


def templates(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    """Yield all templates with their paths."""
    for each in sorted(folder.iterdir(), key=lambda found: found.name):
        if each.is_dir():
            yield from templates(each, path / each.name)
        elif each.name.endswith(SUFFIX):
            yield path / each.name, each


def filled(text: str, words: Mapping[str, str]) -> str:
    """Return the text with each `{{word}}` replaced."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)


def agent_name(name: str) -> str:
    """Return the agent's name: my-shop is MyShop, and orders is OrdersAgent."""
    agent = "".join(part.capitalize() for part in name.split("-"))
    return f"{agent}Agent" if agent in TEMPLATE_SERVICES else agent


def next_steps(name: str) -> str:
    return (
        f"Made {name}/, a mesh with one agent and two tools. Next:\n"
        f"  cd {name}\n"
        "  npm install                                 # brings the Restate server\n"
        "  switchboard up                              # in one terminal; Ctrl-C ends it\n"
        '  switchboard ask "where is my order A-1001?" # in another\n'
        "  pytest                                      # starts a mesh of its own"
    )
