"""All fields of Restate's kinds, and the docs' table that says what the charts do with each."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.charts.schemas import crds
from tests.parts import PROJECT

TABLE = PROJECT / "docs" / "operate" / "crd-fields.md"

WHOLE = frozenset(
    {
        "compute.affinity",
        "compute.dnsConfig",
        "compute.env",
        "compute.extraVolumes",
        "compute.extraVolumeMounts",
        "compute.imagePullSecrets",
        "compute.lifecycle",
        "compute.resources",
        "compute.sidecars",
        "compute.tolerations",
        "compute.topologySpreadConstraints",
        "security.networkEgressRules",
        "security.networkPeers",
        "security.trustedCaCerts",
        "autoscaling",
        "selector",
        "template",
    }
)
"""Fields in Kubernetes' own format, whose parts are not listed."""

ROW = re.compile(r"^\| `(?P<field>[\w.]+)` \| (?P<value>.*?) \|(?P<note>.*)\|$")
VALUE = re.compile(r"^`(?P<path>[\w.]+)`$")


class Row(NamedTuple):
    field: str
    value: str | None
    """Path of the chart's value, or None if the chart decides about the field."""

    cell: str
    note: str


def fields(kind: str) -> set[str]:
    """Return the path of every field of the kind's spec, in the CRD that this machine has."""
    return {*_leaves(crds()[kind]["properties"]["spec"], "")}


def _leaves(schema: dict[str, Any], path: str) -> Iterator[str]:
    properties = schema.get("properties") or {}
    if not properties or path in WHOLE:
        yield path
        return
    for name, inner in properties.items():
        yield from _leaves(inner, f"{path}.{name}" if path else name)


def rows(kind: str) -> list[Row]:
    """Return the rows of the kind's table."""
    _, _, section = TABLE.read_text().partition(f"## {kind}\n")
    found = []
    for line in section.split("\n## ")[0].splitlines():
        if match := ROW.match(line):
            value = VALUE.match(match["value"])
            found.append(Row(match["field"], value["path"] if value else None, match["value"], match["note"].strip()))
    return found
