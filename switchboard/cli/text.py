"""Fits text into one line. Pure."""


def shortened(text: str, chars_max: int) -> str:
    """Return the text on one line, cut with an ellipsis if it is longer than `chars_max`."""
    line = " ".join(text.split())
    return line if len(line) <= chars_max else f"{line[: chars_max - 1]}…"
