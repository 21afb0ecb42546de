"""All links of the documentation lead to files and headings that exist."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, name_of, pages, prose

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?\)")
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")

PAGES = pages("*.md", "deploy/helm/*/README.md", "switchboard/**/README.md")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_page_lead_somewhere(page: Path) -> None:
    broken = [address for address in LINK.findall(prose(page)) if problem_with(page, address)]
    assert broken == []


def test_loop_is_two_links_away_from_the_readme() -> None:
    readme = ROOT / "README.md"
    linked = {(readme.parent / address).resolve() for address in LINK.findall(prose(readme)) if address.endswith(".md")}
    loop = ROOT / "switchboard" / "loop" / "turn.py"
    assert [page for page in linked if loop in {(page.parent / path).resolve() for path in LINK.findall(prose(page))}]


def problem_with(page: Path, address: str) -> bool:
    """Return whether a link inside the repository names no file, or no heading of its file."""
    if EXTERNAL.match(address):
        return False
    path, _, anchor = address.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and (target.suffix != ".md" or anchor not in anchors(target))


def test_pages_and_links_are_found() -> None:
    assert len(PAGES) > 40
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 150


def test_broken_links_are_reported() -> None:
    readme = ROOT / "README.md"
    assert problem_with(readme, "docs/nowhere.md")
    assert problem_with(readme, "docs/index.md#nowhere")
    assert not problem_with(readme, "docs/index.md#words")
    assert not problem_with(readme, "https://restate.dev")


def test_site_lists_every_page() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {path.relative_to(ROOT / "docs").as_posix() for path in pages()}


def test_readme_leads_to_every_page_in_at_most_two_steps() -> None:
    readme = ROOT / "README.md"
    first = {readme, *linked_pages(readme)}
    assert set(pages()) <= first.union(*(linked_pages(page) for page in first))


def linked_pages(page: Path) -> set[Path]:
    paths = {address.partition("#")[0] for address in LINK.findall(prose(page)) if not EXTERNAL.match(address)}
    return {(page.parent / path).resolve() for path in paths if path.endswith(".md")}


@pytest.mark.parametrize("picture", sorted((ROOT / "docs/images").glob("*")), ids=name_of)
def test_picture_is_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 200_000
    assert any(picture.name in page.read_text() for page in PAGES)
