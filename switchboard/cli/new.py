"""Creates a new mesh project from the templates in this package."""

import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from switchboard.cli.additions import Addition, words_of
from switchboard.cli.values import values_text
from switchboard.local.problem import InvalidCommand
from switchboard.runtime.mesh_file import MESH_FILE, MESH_NAME, PATTERN_RULES, read_mesh_file

DISTRIBUTION = "switchboard-mesh"
ALL_TEMPLATES = files("switchboard") / "templates"
TEMPLATES = ALL_TEMPLATES / "project"

SUFFIX = ".tmpl"
"""Suffix of every template's file name. It keeps linters, type checkers and test runners away from the templates."""

VALUES_FILE = "values.yaml"
VALUES_HEADER = """\
# Values of the chart agent-mesh, generated from mesh.toml. To update: switchboard values > values.yaml
# `null` removes a service that the chart has by default.
"""

FOLDER_MODE = 0o755

TEMPLATE_FOLDERS = {"tests", "wheels"}
"""Folders that every project has besides its package."""

TEMPLATE_SERVICES = {
    "Orders",
    "AgentList",
    "CustomerUsage",
    "Deliveries",
    "IdentityChecks",
    "Ratings",
    "Session",
    "StaffDoor",
    "Summaries",
    "TaskPush",
    "TaskPushSender",
}
"""Names of the Restate services in every project. The agent is a Restate service too and needs a different name."""


def new(name: str, parent: Path, additions: Sequence[Addition] = ()) -> str:
    """Create the folder `name` in `parent` and return the next steps. Raises InvalidCommand, leaving no files."""
    module = module_name(name)
    folder = parent / name
    refuse_used(folder, name)
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))
        try:
            write_project(draft, name, module, additions)
            draft.chmod(FOLDER_MODE)
            draft.rename(folder)  # An empty folder with that name is replaced.
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise InvalidCommand(f"Cannot create {folder}: {error.strerror}.") from error
    return next_steps(name, words_of(additions, module)["steps"])


def module_name(name: str) -> str:
    """Return the name of the project's package. Raises InvalidCommand for an invalid project name."""
    if not re.fullmatch(MESH_NAME, name):
        raise InvalidCommand(f"{name!r} is not a valid project name: {PATTERN_RULES[MESH_NAME]}.")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or is_installed(module):
        raise InvalidCommand(
            f"{name!r} is not a valid project name: {module!r} is a Python module or keyword. Choose another name."
        )
    if module in TEMPLATE_FOLDERS:
        raise InvalidCommand(
            f"{name!r} is not a valid project name: every project has a folder {module!r}. Choose another name."
        )
    return module


def is_installed(module: str) -> bool:
    found = importlib.util.find_spec(module)
    # Python sees a folder in the current folder as a namespace package, which has no origin.
    return found is not None and found.origin is not None


def refuse_used(folder: Path, name: str) -> None:
    """Raise InvalidCommand unless the folder is missing or empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    what = "is a folder that is not empty" if folder.is_dir() else "is a file"
    raise InvalidCommand(
        f"{folder} already exists: it {what}. Nothing was changed. Choose another name than {name!r}, or run the"
        " command in another folder."
    )


def write_project(folder: Path, name: str, module: str, additions: Sequence[Addition] = ()) -> None:
    """Write all templates and the chart values generated from mesh.toml into the folder."""
    words = {"name": name, "module": module, "variable": module.upper(), "agent": agent_name(name)}
    words["version"] = version(DISTRIBUTION)
    words |= words_of(additions, module)
    places = [TEMPLATES, *(ALL_TEMPLATES / addition for addition in dict.fromkeys(additions))]
    for path, template in (found for place in places for found in templates(place, PurePosixPath())):
        target = folder / filled(path.as_posix(), words).removesuffix(SUFFIX)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled(template.read_text(encoding="utf-8"), words), encoding="utf-8")
    values = values_text(read_mesh_file(folder / MESH_FILE))
    (folder / VALUES_FILE).write_text(VALUES_HEADER + values, encoding="utf-8")


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


def next_steps(name: str, more: str) -> str:
    return (
        f"Created {name}/, a mesh with one agent and two tools. Next steps:\n"
        f"  cd {name}\n"
        "  npm install                                 # installs the Restate server\n"
        f"{more}"
        "  switchboard up                              # runs in one terminal; stop it with Ctrl-C\n"
        '  switchboard ask "where is my order A-1001?" # in another terminal\n'
        "  pytest                                      # starts its own mesh"
    )
