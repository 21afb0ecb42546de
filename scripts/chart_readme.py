"""Write the table of values in each chart's README from the comments (`# -- `) in its values.yaml, like helm-docs."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HELM_DIR = Path(__file__).resolve().parent.parent / "deploy" / "helm"

BEGIN, END = "<!-- values: written by `make charts` -->", "<!-- end of values -->"
COMMENT_PREFIX = "# -- "
DEFAULT_MAX_CHARACTERS = 60
"""Longer defaults are not repeated in the table."""

TYPES = {bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "object"}
"""helm-docs' names of the types."""


class Value(NamedTuple):
    key: str
    """As in `--set`: `restate.image.tag`."""

    default: Any
    description: str
    """Empty if the value has no comment."""


def documented(values: str) -> list[Value]:
    """Return every value that has a comment. The comment of a group also covers the values in it that have none."""
    return [value for value in _walk(values) if value.description]


def undocumented(values: str) -> list[str]:
    """Return the keys that have no comment, neither their own nor one of a group above them."""
    described = [value.key for value in documented(values)]
    leaves = [value.key for value in _walk(values) if not isinstance(value.default, dict) or not value.default]
    return [leaf for leaf in leaves if not any(leaf == key or leaf.startswith(f"{key}.") for key in described)]


def _walk(values: str) -> Iterator[Value]:
    lines = values.splitlines()
    root = yaml.compose(values)
    if isinstance(root, yaml.MappingNode):
        yield from _walk_group(root, yaml.safe_load(values), lines, ())


def _walk_group(
    node: yaml.MappingNode, value: dict[str, Any], lines: list[str], parents: tuple[str, ...]
) -> Iterator[Value]:
    for key, inner in node.value:
        path = (*parents, key.value.replace(".", "\\."))
        starts_line = not lines[key.start_mark.line][: key.start_mark.column].strip()
        description = _comment_above(lines, key.start_mark.line) if starts_line else ""
        yield Value(".".join(path), value[key.value], description)
        if isinstance(inner, yaml.MappingNode):
            yield from _walk_group(inner, value[key.value], lines, path)


def _comment_above(lines: list[str], at: int) -> str:
    """Return the comment that ends right above line `at`, from its last `# -- ` on."""
    above: list[str] = []
    while at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
        text = lines[at].strip()
        above.insert(0, text.removeprefix(COMMENT_PREFIX).removeprefix("#").strip())
        if text.startswith(COMMENT_PREFIX):
            return " ".join(above)
    return ""


def table(chart: Path) -> str:
    """Return the chart's requirements and its table of values, as Markdown."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    requirements = [f"Chart version {about['version']}. Requires Kubernetes {about['kubeVersion'].replace('-0', '')}."]
    for each in about.get("dependencies", []):
        requirements.append(
            f"Includes {each['name']} {each['version']} ({each['repository']}), unless `{each['condition']}=false`."
        )
    rows = ["| Key | Type | Default | Description |", "|-----|------|---------|-------------|"]
    for key, default, description in documented((chart / "values.yaml").read_text()):
        rows.append(f"| {key} | {_type(default)} | {_default(default)} | {_cell(description)} |")
    return "\n".join([*requirements, "", *rows])


def _type(default: Any) -> str:
    return TYPES.get(type(default), "object")


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{_cell(text)}`" if len(text) <= DEFAULT_MAX_CHARACTERS else "see values.yaml"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def updated_readme(chart: Path) -> str:
    """Return the chart's README with a new table. Raises ValueError if the README has no place for the table."""
    before, begin, rest = (chart / "README.md").read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"{chart.name}/README.md has no place for the table of values. Add the lines {BEGIN!r} and {END!r}."
        )
    return f"{before}{BEGIN}\n{table(chart)}\n{END}{after}"


def charts() -> list[Path]:
    return sorted(path.parent for path in HELM_DIR.glob("*/README.md"))


def main() -> None:
    for chart in charts():
        if missing := undocumented((chart / "values.yaml").read_text()):
            sys.exit(
                f"{chart.name}/values.yaml: these values have no description: {', '.join(missing)}. "
                f"Add a comment `{COMMENT_PREFIX}...` above each."
            )
        (chart / "README.md").write_text(updated_readme(chart))


if __name__ == "__main__":
    main()
