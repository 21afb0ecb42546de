"""Reads mesh.toml: the services of a mesh and how each is started."""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

MESH_FILE = "mesh.toml"

BUILT_IN = {"gateway": "switchboard.gateway", "demo_model": "switchboard.demo_model"}
"""The framework's own services and their modules. Every mesh has them, so mesh.toml does not list them."""

DEMO_MODEL_PORT = 9099
PORT_MIN = 1_024
PORT_MAX = 65_535
REPLICAS_MAX = 100
EXAMPLE_MAX_CHARS = 200

Uses = Literal["model", "restate-admin", "prices", "speaker-keys"]
"""Things that a service needs besides Restate: the model's key, Restate's admin API, or the prices of model calls."""

MESH_NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
SERVICE_NAME = r"^[a-z]([a-z0-9_-]{0,38}[a-z0-9])?$"
IMAGE_NAME = r"^([a-z0-9]+((\.|__?|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*)*)?$"
MODULE_NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
DEMO_NAME = r"^[\w.]+:\w+$"
CUSTOMER_ID = r"^[A-Za-z0-9._@|:+=~-]{1,128}$"

PATTERN_RULES = {
    MESH_NAME: "a mesh's name must consist of 1 to 40 lower-case letters, digits or '-', start with a letter and end"
    " with a letter or digit",
    SERVICE_NAME: "a service's name must consist of 1 to 40 lower-case letters, digits, '_' or '-', start with a letter"
    " and end with a letter or digit",
    IMAGE_NAME: "an image's name must consist of lower-case letters and digits, separated by '.', '_', '-' or '/'",
    MODULE_NAME: "a module's name must be written as in an import, such as shop.front",
    DEMO_NAME: "it must have the form module:NAME",
    CUSTOMER_ID: "a customer's id must consist of 1 to 128 letters, digits or . _ @ | : + = ~ -",
}
"""The rule that each pattern enforces, for error messages."""

TOML_WORDS = {
    r"(Input|String) should": "it must",
    r"Dictionary should have at least 1 item.*": "it must have at least 1 entry",
    r"a valid dictionary.*": "a table",
    r"a valid tuple": "a list",
}
"""Replaces the words of pydantic's messages by TOML's."""

ServiceName = Annotated[str, StringConstraints(pattern=SERVICE_NAME)]
ModuleName = Annotated[str, StringConstraints(pattern=MODULE_NAME)]


class MeshFileError(Exception):
    """mesh.toml is missing or invalid. The message tells the user what to change."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceDefinition(_Strict):
    """How one service of the mesh is started.

    - `module`: run with `python -m`.
    - `port`: its port on a local mesh.
    - `image`: repository name of its image. Default: `<mesh name>-<service>`.
    - `replicas`: number of pods on Kubernetes. Default: the chart's.
    - `uses`: what it needs besides Restate.
    """

    module: ModuleName
    port: int = Field(ge=PORT_MIN, le=PORT_MAX)
    image: Annotated[str, StringConstraints(pattern=IMAGE_NAME)] = ""
    replicas: int | None = Field(None, ge=1, le=REPLICAS_MAX)
    uses: tuple[Uses, ...] = ("model",)


class MeshDefinition(_Strict):
    """The content of mesh.toml.

    `demo` names the conversations that `switchboard demo` plays, as `module:NAME`. `example` is a message that
    `switchboard up` suggests. `customers` are the ids that the console of a local mesh offers to sign in as.
    """

    name: Annotated[str, StringConstraints(pattern=MESH_NAME)]
    services: Mapping[ServiceName, ServiceDefinition] = Field(min_length=1)
    demo: Annotated[str, StringConstraints(pattern=DEMO_NAME)] | None = None
    example: str = Field("hello", min_length=1, max_length=EXAMPLE_MAX_CHARS)
    customers: tuple[Annotated[str, StringConstraints(pattern=CUSTOMER_ID)], ...] = Field(("alice",), min_length=1)

    @model_validator(mode="after")
    def refuse_conflicts(self) -> Self:
        reserved = sorted(set(self.services) & set(BUILT_IN))
        if reserved:
            raise ValueError(f"{reserved[0]!r} is a service of the framework; choose another name")
        kubernetes_names = Counter(name.replace("_", "-") for name in self.services)
        for deployed, count in kubernetes_names.items():
            if count > 1:
                names = [name for name in self.services if name.replace("_", "-") == deployed]
                raise ValueError(f"{' and '.join(names)} are both called {deployed} on Kubernetes; rename one of them")
        ports = Counter(service.port for service in self.services.values())
        for port, count in ports.items():
            names = [name for name, service in self.services.items() if service.port == port]
            if count > 1:
                raise ValueError(f"{' and '.join(names)} have the same port {port}; give each service its own")
            if port == DEMO_MODEL_PORT:
                raise ValueError(f"{names[0]} has port {port}, which the demo model uses; choose another port")
        return self

    def module(self, service: str) -> str:
        """Return the module of a service, built-in or not. Raises MeshFileError for an unknown service."""
        modules = {**{name: each.module for name, each in self.services.items()}, **BUILT_IN}
        if service not in modules:
            raise MeshFileError(f"There is no service {service!r}. The services are {', '.join(sorted(modules))}.")
        return modules[service]

    def image(self, service: str) -> str:
        """Return the repository name of a service's image."""
        own = self.services[service].image if service in self.services else ""
        return own or f"{self.name}-{service.replace('_', '-')}"


@dataclass(frozen=True)
class MeshProject:
    """A mesh's folder and its definition. Services run in the folder `root`, where Python finds their modules."""

    root: Path
    definition: MeshDefinition

    @classmethod
    def find(cls, start: Path | None = None) -> "MeshProject":
        """Read the nearest mesh.toml in `start` (default: the current folder) or above. Raises MeshFileError."""
        path = find_mesh_file(start)
        return cls(path.parent, read_mesh_file(path))


def find_mesh_file(start: Path | None = None) -> Path:
    """Return the nearest mesh.toml in `start` (default: the current folder) or above. Raises MeshFileError."""
    folder = (start or Path.cwd()).resolve()
    for place in (folder, *folder.parents):
        if (place / MESH_FILE).is_file():
            return place / MESH_FILE
    raise MeshFileError(
        f"There is no {MESH_FILE} in {folder} or above it. Change to your mesh's folder, or create a mesh with"
        " `switchboard new NAME`."
    )


def read_mesh_file(path: Path) -> MeshDefinition:
    """Read and validate a mesh.toml. Raises MeshFileError with all problems."""
    try:
        return MeshDefinition.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise MeshFileError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise MeshFileError(f"{relative_path(path)} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise MeshFileError(with_full_stop(f"{relative_path(path)}: {'; '.join(problems(error))}")) from error


def with_full_stop(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def relative_path(path: Path) -> str:
    """Return the path relative to the current folder."""
    try:
        return os.path.relpath(path)
    except ValueError:  # On another drive.
        return str(path)


def problems(error: ValidationError) -> list[str]:
    """Return a message for each problem, with the key.

    A misspelled key is reported once. That the correct key is missing is not reported as well.
    """
    errors = error.errors()
    missing = {tuple(each["loc"]) for each in errors if each["type"] == "missing"}
    found = []
    for each in errors:
        if each["type"] == "extra_forbidden":
            *table, key = each["loc"]
            suggestion = closest_key(str(key), known_keys(table))
            missing.discard((*table, suggestion))
            found.append(unknown_key(each["loc"], suggestion))
    others = [each for each in errors if each["type"] not in ("missing", "extra_forbidden")]
    found += [f"{key_path(where)} is missing" for where in sorted(missing, key=key_path)]
    return found + [problem_text(each["loc"], each["type"], each["msg"], each.get("ctx", {})) for each in others]


def known_keys(table: Sequence[int | str]) -> list[str]:
    """Return the keys that a table may have."""
    return list((ServiceDefinition if table else MeshDefinition).model_fields)


def closest_key(key: str, known: Sequence[str]) -> str:
    """Return the known key that is most similar, or "" if none is close."""
    return next(iter(get_close_matches(key, known, 1)), "")


def unknown_key(where: Sequence[int | str], suggestion: str) -> str:
    known = ", ".join(known_keys(where[:-1]))
    return f"{key_path(where)} is an unknown key; " + (
        f"did you mean {suggestion!r}?" if suggestion else f"the keys are {known}"
    )


def key_path(where: Sequence[int | str]) -> str:
    """Return the key as TOML writes it, such as services.tools.port."""
    return ".".join(str(part) for part in where if part != "[key]")


def problem_text(where: Sequence[int | str], kind: str, message: str, context: Mapping[str, object]) -> str:
    text = message.removeprefix("Value error, ")
    for words, plain in TOML_WORDS.items():
        text = re.sub(words, plain, text)
    if kind == "string_pattern_mismatch":
        text = PATTERN_RULES[str(context["pattern"])]
    return f"{key_path(where)}: {text}" if where else text
