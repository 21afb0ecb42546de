"""Reads Markdown pages: their text without code, their headings' anchors, and their fenced blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.M | re.S)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.M)
MARK = re.compile(r"<!-- (not run|run by): (.+?) -->\s*$")


def pages(*extra: str) -> list[Path]:
    """Return all pages of docs/, and further files by their paths or patterns."""
    found = {path for pattern in ("docs/**/*.md", *extra) for path in ROOT.glob(pattern)}
    return sorted(found)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the mark on the line above it, as (kind, reason or path)."""

    page: str
    language: str
    text: str
    mark: tuple[str, str] | None


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text()
    for fence in FENCE.finditer(text):
        mark = MARK.search(text[: fence.start()].rstrip(" "))
        yield Block(name_of(path), fence[1], fence[2], (mark[1], mark[2]) if mark else None)


def prose(path: Path) -> str:
    """Return the page without fenced blocks and inline code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", path.read_text()))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings that mkdocs and GitHub agree on."""
    return {anchor for heading in HEADING.findall(FENCE.sub("", path.read_text())) for anchor in anchors_of(heading)}


def anchors_of(heading: str) -> set[str]:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    kept = re.sub(r"[^\w\s-]", "", plain).strip().lower()
    github, mkdocs = re.sub(r"\s", "-", kept), re.sub(r"[-\s]+", "-", kept)
    return {github} & {mkdocs}
