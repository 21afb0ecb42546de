"""Find the series and labels in a PromQL expression. Pure, and supports only the syntax that our expressions use."""

import re
from collections.abc import Iterator

NOT_SERIES = set("and or unless by without on ignoring group_left group_right bool offset inf nan".split())

GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
RANGE = re.compile(r"\[[^\]]*\]")
SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\b(\{[^}]*\})?(?!\s*\()")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')


def series_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each series with the labels in its selector."""
    bare = RANGE.sub("", GROUPING.sub("", expression))
    for name, selector in SELECTOR.findall(re.sub(r"\boffset\s+\w+", "", bare)):
        if name not in NOT_SERIES and not re.fullmatch(r"\d\w*", name):
            yield name, set(MATCHER.findall(selector))


def without_suffix(series: str) -> str:
    """Return the name of a series' histogram."""
    return re.sub(r"_(bucket|sum|count)$", "", series)
