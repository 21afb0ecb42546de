"""Writes the table of values in each chart's README from its values.yaml's comments, in helm-docs' style: `# -- `."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HELM_DIR = Path(__file__).resolve().parent.parent / "deploy" / "helm"

BEGIN, END = "<!-- values: written by `make charts` -->", "<!-- end of values -->"
SAID = "# -- "
DEFAULT_MAX_CHARACTERS = 60
"""A longer default is not repeated in the table."""


class Value(NamedTuple):
    path: str
    """As in `--set`: `restate.image.tag`."""

    default: Any
    meaning: str
    """Empty where no comment says it."""


def documented(values: str) -> list[Value]:
    """Every value that a comment describes; one without its own belongs to the nearest above that has one."""
    return [value for value in _walk(values) if value.meaning]


def undocumented(values: str) -> list[str]:
    """The values of which no comment says anything, neither theirs nor one above them."""
    said = [value.path for value in documented(values)]
    leaves = [value.path for value in _walk(values) if not isinstance(value.default, dict) or not value.default]
    return [leaf for leaf in leaves if not any(leaf == path or leaf.startswith(f"{path}.") for path in said)]


def _walk(values: str) -> Iterator[Value]:
    lines = values.splitlines()
    root = yaml.compose(values)
    if isinstance(root, yaml.MappingNode):
        yield from _inside(root, yaml.safe_load(values), lines, ())


def _inside(node: yaml.MappingNode, value: dict[str, Any], lines: list[str], way: tuple[str, ...]) -> Iterator[Value]:
    for key, inner in node.value:
        path = (*way, key.value.replace(".", "\\."))
        own_line = not lines[key.start_mark.line][: key.start_mark.column].strip()
        meaning = _comment_above(lines, key.start_mark.line) if own_line else ""
        yield Value(".".join(path), value[key.value], meaning)
        if isinstance(inner, yaml.MappingNode):
            yield from _inside(inner, value[key.value], lines, path)


def _comment_above(lines: list[str], at: int) -> str:
    """The comment that ends right above a line, from its last `# -- ` on."""
    above: list[str] = []
    while at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
        text = lines[at].strip()
        above.insert(0, text.removeprefix(SAID).removeprefix("#").strip())
        if text.startswith(SAID):
            return " ".join(above)
    return ""


def table(chart: Path) -> str:
    """What the chart needs, and its values, as Markdown."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    needs = [f"Chart {about['version']}, of Kubernetes {about['kubeVersion'].replace('-0', '')}."]
    for each in about.get("dependencies", []):
        needs.append(
            f"Brings {each['name']} {each['version']} ({each['repository']}), unless `{each['condition']}=false`."
        )
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for value in documented((chart / "values.yaml").read_text()):
        rows.append(f"| `{value.path}` | {_default(value.default)} | {_cell(value.meaning)} |")
    return "\n".join([*needs, "", *rows])


def _default(value: Any) -> str:
    if value in ("", None):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{_cell(text)}`" if len(text) <= DEFAULT_MAX_CHARACTERS else "see values.yaml"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def renewed(chart: Path) -> str:
    """The chart's README as it should be. Raises ValueError when there is no place in it for the values."""
    before, begin, rest = (chart / "README.md").read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"{chart.name}/README.md needs the lines {BEGIN!r} and {END!r}: the values are written between them"
        )
    return f"{before}{BEGIN}\n{table(chart)}\n{END}{after}"


def charts() -> list[Path]:
    return sorted(path.parent for path in HELM_DIR.glob("*/README.md"))


def main() -> None:
    for chart in charts():
        silent = undocumented((chart / "values.yaml").read_text())
        if silent:
            sys.exit(f"{chart.name}/values.yaml: no comment `{SAID}...` says what these are: {', '.join(silent)}")
        (chart / "README.md").write_text(renewed(chart))


if __name__ == "__main__":
    main()
