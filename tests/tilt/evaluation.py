"""Evaluate the Tiltfile in a real Starlark interpreter. Tilt's builtins only record their calls; helm is real."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import starlark
import yaml

from tests.charts.rendering import documents, helm, load_all
from tests.parts import PROJECT, need_helm

PRELUDE = """
os = struct(
    path = struct(exists = _exists, basename = _basename),
    getenv = _getenv,
)
config = struct(
    tilt_subcommand = _subcommand,
    define_string = _define_string,
    define_bool = _define_bool,
    parse = _parse,
)
TRIGGER_MODE_MANUAL, TRIGGER_MODE_AUTO = "manual", "auto"
"""

RECORDED = (
    "version_settings update_settings ci_settings allow_k8s_contexts warn docker_build "
    "k8s_custom_deploy k8s_kind k8s_resource k8s_yaml local_resource"
).split()
"""Builtins without a result. Their arguments are recorded."""

VALUES = {
    "sync": ("source", "target"),
    "fall_back_on": ("files",),
    "link": ("url", "name"),
    "port_forward": ("local_port", "container_port"),
    "probe": (),
    "http_get_action": (),
}
"""Builtins that return a value, with the names of their positional arguments."""


@dataclass(frozen=True)
class Call:
    """One call of a builtin. `first` is its first argument: a resource's name, a message or a command."""

    name: str
    arguments: Sequence[Any]
    named: Mapping[str, Any]

    @property
    def first(self) -> Any:
        return self.arguments[0] if self.arguments else None


@dataclass
class Evaluation:
    """The builtin calls of a Tiltfile, in order."""

    calls: list[Call] = field(default_factory=list)
    helm_commands: list[list[str]] = field(default_factory=list)

    def all(self, *names: str) -> Iterator[Call]:
        return (call for call in self.calls if call.name in names)

    def one(self, name: str, first: str) -> Call:
        (found,) = (call for call in self.all(name) if call.first == first)
        return found

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """All objects that were passed to k8s_yaml."""
        return [each for call in self.all("k8s_yaml") for each in load_all(call.first)]

    @property
    def workloads(self) -> list[dict[str, Any]]:
        return [each for each in self.objects if "template" in each.get("spec", {})]

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Resources by name, in the order of their declaration, with the arguments of all calls for them."""
        found: dict[str, dict[str, Any]] = {each["metadata"]["name"]: {} for each in self.workloads}
        for call in self.all("k8s_custom_deploy", "local_resource"):
            found[call.first] = dict(call.named)
        for call in self.all("k8s_resource"):
            name = call.named.get("new_name") or call.first
            assert call.first is None or call.first in found, f"k8s_resource({call.first!r}) refers to no resource"
            found[name] = {**found.get(name, {}), **call.named}
        return found

    def dependencies(self, name: str) -> set[str]:
        """Return all direct and indirect dependencies of a resource. Raises ValueError for a cycle."""
        seen: set[str] = set()

        def follow(each: str, path: tuple[str, ...]) -> None:
            for dependency in self.resources[each].get("resource_deps", []):
                if dependency in path:
                    raise ValueError(f"dependency cycle: {' → '.join((*path, dependency))}")
                seen.add(dependency)
                follow(dependency, (*path, dependency))

        follow(name, (name,))
        return seen


def evaluate(subcommand: str = "up", environment: Mapping[str, str] | None = None, **flags: object) -> Evaluation:
    """Run this repository's Tiltfile as `tilt SUBCOMMAND -- --flag value` would. Raises starlark.StarlarkError."""
    return evaluate_in(PROJECT, subcommand, environment or {}, flags)


def evaluate_in(
    project: Path, subcommand: str, environment: Mapping[str, str], flags: Mapping[str, object]
) -> Evaluation:
    """Run the Tiltfile of a project's folder."""
    # Check for helm here: a skip within Starlark would be an error.
    need_helm()
    evaluation = Evaluation()
    module = starlark.Module()
    for name, builtin in builtins(evaluation, environment, flags, project).items():
        module.add_callable(name, builtin)
    module["_subcommand"] = subcommand
    dialect = starlark.Dialect.extended()
    dialect.enable_top_level_stmt = True
    every = [starlark.LibraryExtension.StructType]
    program = starlark.parse("Tiltfile", PRELUDE + (project / "Tiltfile").read_text(), dialect)
    starlark.eval(module, program, starlark.Globals.extended_by(every))
    return evaluation


def builtins(
    evaluation: Evaluation, environment: Mapping[str, str], flags: Mapping[str, object], project: Path
) -> dict[str, Any]:
    defined: set[str] = set()

    def recorder(name: str) -> Any:
        return lambda *arguments, **named: evaluation.calls.append(Call(name, arguments, named))

    def local(command: str | list[str], **named: object) -> str:
        """Record the command, and run it if it is a list of words. The others need a cluster or a network."""
        evaluation.calls.append(Call("local", [command], named))
        if isinstance(command, str):
            return ""
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def value(kind: str) -> Any:
        return lambda *given, **named: {"kind": kind, **dict(zip(VALUES[kind], given, strict=False)), **named}

    def parse() -> dict[str, object]:
        unknown = set(flags) - defined
        assert not unknown, f"the Tiltfile does not define these flags: {unknown}"
        return dict(flags)

    def render_chart(chart: str, name: str, namespace: str, values: list[str], set: list[str]) -> str:  # noqa: A002
        command = ["template", name, str(project / chart), "--namespace", namespace]
        command += [word for file in values for word in ("--values", str(project / file))]
        command += [word for setting in set for word in ("--set", setting)]
        evaluation.helm_commands.append(command)
        done = helm(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return {
        **{name: recorder(name) for name in RECORDED},
        **{name: value(name) for name in VALUES},
        "helm": render_chart,
        "local": local,
        "decode_yaml_stream": documents,
        "encode_yaml_stream": lambda objects: yaml.safe_dump_all(objects),
        "_exists": lambda path: os.path.exists(project / path),
        "_basename": os.path.basename,
        "_getenv": lambda name, default="": environment.get(name, default),
        "_define_string": lambda name, **_: defined.add(name),
        "_define_bool": lambda name, **_: defined.add(name),
        "_parse": parse,
    }
