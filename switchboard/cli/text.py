"""Makes texts of unknown length and form fit into a line. Pure."""


def shortened(text: str, chars_max: int) -> str:
    """On one line, and cut with an ellipsis where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= chars_max else f"{line[: chars_max - 1]}…"
