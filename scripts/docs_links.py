"""mkdocs hook: point links that leave docs/ to the repository, or make them plain text if its URL is unknown."""

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|#|/")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Called by mkdocs for each page before it is rendered."""
    repository = (config["repo_url"] or "").rstrip("/")
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))
    return LINK.sub(lambda link: resolved(link, folder, repository), markdown)


def resolved(link: re.Match[str], folder: str, repository: str) -> str:
    """Return a link as it is, unless it names a file of the repository outside docs/."""
    label, address = link.groups()
    if SCHEME.match(address):
        return link[0]
    path, _, anchor = address.partition("#")
    target = posixpath.normpath(posixpath.join(folder, path))
    if target.startswith("docs/"):
        return link[0]
    if not repository:
        return label
    return f"[{label}]({repository}/blob/main/{target}{'#' + anchor if anchor else ''})"
