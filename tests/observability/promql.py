"""Which series, with which labels, a PromQL expression asks for. Pure, and only as good as our own expressions need."""

import re
from collections.abc import Iterator

NOT_SERIES = set("and or unless by without on ignoring group_left group_right bool offset inf nan".split())

GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
RANGE = re.compile(r"\[[^\]]*\]")
SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\b(\{[^}]*\})?(?!\s*\()")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')


def series_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each series with the labels that its selector names."""
    bare = RANGE.sub("", GROUPING.sub("", expression))
    for name, selector in SELECTOR.findall(re.sub(r"\boffset\s+\w+", "", bare)):
        if name not in NOT_SERIES and not re.fullmatch(r"\d\w*", name):
            yield name, set(MATCHER.findall(selector))


def without_suffix(series: str) -> str:
    """A histogram's own name."""
    return re.sub(r"_(bucket|sum|count)$", "", series)
