"""List the images that the charts use, and write values with their digests.

python -m scripts.images list [--own O] [--registry R] [--digests]
                                                       each image, ours in O; with R, also the name of its copy there
python -m scripts.images digests CHART [--built F]     values with digests: of our images from F, of others from docker
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from switchboard.local.observe import find_tool

HELM_DIR = Path(__file__).resolve().parent.parent / "deploy" / "helm"
CHARTS = ("mesh-operator", "mesh-platform", "agent-mesh")

HELM_TIMEOUT_SECONDS = 60
DOCKER_TIMEOUT_SECONDS = 60

WITHOUT_CLUSTER: Mapping[str, Sequence[str]] = {
    "mesh-operator": (),
    "mesh-platform": ("restate.requestSigning.create=false",),
    "agent-mesh": (
        "gateway.auth.existingSecret=only-rendered",
        "speakerKeys.existingSecret=only-rendered",
        "image.registry=",
    ),
}
"""Values that let helm render the chart without a cluster."""

OPERATOR_IMAGE = "restate-operator-helm.image.repository"
OPERATOR_REPOSITORY = "restatedev/restate-operator"
"""The operator's chart ignores `global.imageRegistry`, so its image is named in full."""

CANARY_IMAGE = "restate-operator-helm.canaryImage"
CANARY = "docker.io/library/alpine:3.21"
"""The operator starts it for `restate.trustedCaCerts` and `restate.awsPodIdentityRoleArn`. No chart names it."""

DIGEST_VALUES: Mapping[str, Mapping[str, str]] = {
    "mesh-platform": {
        "restatedev/restate": "restate.image.digest",
        "opentelemetry-collector-k8s": "opentelemetry-collector.image.digest",
        "jaegertracing/jaeger": "jaeger.jaeger.image.digest",
    },
}
"""The value of each third-party image's digest, by the end of the image's name."""

BUILT = re.compile(r"(?:.*/)?switchboard-(?P<service>[a-z0-9-]+)@(?P<digest>sha256:[0-9a-f]{64})")
"""A line that scripts/ci/images.sh writes."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

NAMED_VALUES = {"gateway": "gateway", "demo-model": "demoModel"}
"""Images whose values are not under `services`."""

Values = dict[str, Any]


class Failed(Exception):
    """Says what happened and what to do next."""


def rendered(chart: str, *settings: str, folder: Path | None = None) -> list[Values]:
    """Return the objects of a chart with its default values."""
    program = find_tool("helm")
    if program is None:
        raise Failed("helm was not found. `make tools` installs it.")
    arguments = [f"--set={each}" for each in (*WITHOUT_CLUSTER[chart], *settings)]
    done = subprocess.run(
        [str(program), "template", "release", str(folder or HELM_DIR / chart), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=HELM_TIMEOUT_SECONDS,
    )
    if done.returncode:
        hint = f" Run: helm dependency build deploy/helm/{chart}" if "dependenc" in done.stderr else ""
        raise Failed(f"helm cannot render {chart}: {done.stderr.strip()}{hint}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def images(node: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield every image in an object, with the path at which it is named."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield where, value
            else:
                yield from images(value, f"{where}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from images(value, f"{where}/{number}")


def images_of(chart: str, *settings: str, folder: Path | None = None) -> dict[str, str]:
    """Return the images of a chart, by the path at which they are named."""
    objects = [each for each in rendered(chart, *settings, folder=folder) if each["kind"] != "CustomResourceDefinition"]
    found = {
        where: image for each in objects for where, image in images(each, f"{each['kind']}/{each['metadata']['name']}")
    }
    if chart == "mesh-operator" and found:
        given = [each.partition("=")[2] for each in settings if each.startswith(CANARY_IMAGE)]
        found[CANARY_IMAGE] = (given or [CANARY])[0]
    return found


def registry_settings(chart: str, registry: str) -> list[str]:
    """Return the settings that take all images of a chart from a registry."""
    if chart == "mesh-operator":
        copy = CANARY.partition("/")[2]
        return [f"{OPERATOR_IMAGE}={registry}/{OPERATOR_REPOSITORY}", f"{CANARY_IMAGE}={registry}/{copy}"]
    return [f"global.imageRegistry={registry}"]


def listing(
    registry: str | None,
    charts: Mapping[str, Path],
    digest_of: Callable[[str], str] | None = None,
    own: str = "",
) -> list[str]:
    """Return a line for each image: its name, and with a registry the name of its copy there.

    `own` is the registry that has this project's images. With `digest_of`, the name has the digest as well, so that a
    copy has the same content whenever it is made.
    """
    lines: set[str] = set()
    for chart, folder in charts.items():
        ours = [f"image.registry={own}"] if chart == "agent-mesh" else []
        here = images_of(chart, *ours, folder=folder)
        there = images_of(chart, *registry_settings(chart, registry), folder=folder) if registry else {}
        for where, image in here.items():
            name = f"{image}@{digest_of(image)}" if digest_of and "@" not in image else image
            lines.add(f"{name} {there[where]}" if registry else name)
    return sorted(lines)


def built_values(lines: Sequence[str]) -> Values:
    """Return agent-mesh's values for the images that were built. Raises Failed if there is none."""
    values: Values = {}
    for match in filter(None, map(BUILT.fullmatch, map(str.strip, lines))):
        name = match["service"]
        where = values if name in NAMED_VALUES else values.setdefault("services", {})
        where[NAMED_VALUES.get(name, name)] = {"image": {"digest": match["digest"]}}
    if not values:
        raise Failed("No line names an image with its digest. `PUSH=1 scripts/ci/images.sh` writes dist/images.txt.")
    return values


def platform_values(images_: Mapping[str, str], digest_of: Callable[[str], str]) -> Values:
    """Return mesh-platform's values with the digest of each third-party image."""
    values: Values = {}
    for image in images_.values():
        name = image.partition("@")[0].rpartition(":")[0]
        for end, path in DIGEST_VALUES["mesh-platform"].items():
            if name.endswith(end):
                put(values, path, digest_of(image))
    return values


def put(values: Values, path: str, value: str) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def digest_from_registry(image: str) -> str:
    """Ask the image's registry, through docker. Raises Failed."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DOCKER_TIMEOUT_SECONDS)
    except OSError as error:
        raise Failed(f"docker cannot be run ({error.strerror}), so the digest of {image} is unknown.") from error
    digest = json.loads(done.stdout).get("digest", "") if done.returncode == 0 else ""
    if not DIGEST.fullmatch(digest):
        raise Failed(f"The registry does not say the digest of {image}: {done.stderr.strip()}")
    return str(digest)


def digests(chart: str, built: Path | None) -> Values:
    if chart == "mesh-platform":
        return platform_values(images_of(chart), digest_from_registry)
    if built is None:
        raise Failed("agent-mesh needs --built, the file that `PUSH=1 scripts/ci/images.sh` writes.")
    return built_values(built.read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.images", description="Images of the charts.")
    commands = parser.add_subparsers(dest="command", required=True)
    lister = commands.add_parser("list", help="print the images of all charts")
    lister.add_argument("--own", default="", help="registry to which you have pushed this project's images")
    lister.add_argument("--registry", help="also print the image's name in this registry")
    lister.add_argument("--digests", action="store_true", help="print each image with its digest; needs docker")
    pinner = commands.add_parser("digests", help="print values with digests")
    pinner.add_argument("chart", choices=["agent-mesh", "mesh-platform"])
    pinner.add_argument("--built", type=Path, help="file with a line NAME@sha256:… for each of our images")
    given = parser.parse_args()
    try:
        if given.command == "list":
            digest_of = digest_from_registry if given.digests else None
            print(
                "\n".join(listing(given.registry, {chart: HELM_DIR / chart for chart in CHARTS}, digest_of, given.own))
            )
        else:
            print(yaml.safe_dump(digests(given.chart, given.built), sort_keys=False), end="")
    except Failed as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
