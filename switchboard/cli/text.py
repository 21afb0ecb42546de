"""Makes text fit for a terminal. Pure."""

import unicodedata

KEPT = "\n\t"

CONTROL_PICTURES = 0x2400
"""The first of the characters that picture the control characters U+0000 to U+001F, such as ␛ for escape."""

DELETE, DELETE_PICTURE = "\x7f", "\u2421"

HIDDEN_CATEGORIES = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Categories of characters that steer a terminal, reorder text, show nothing, or have no fixed appearance."""

JOINERS = "\u200c\u200d"
"""Join emoji and the letters of some scripts. They neither reorder text nor steer a terminal."""


def visible(text: str) -> str:
    """Return the text with its control, bidirectional and invisible characters shown: ␛, or <U+202E>."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(shown(character) for character in text)


def shown(character: str) -> str:
    if character in KEPT or character in JOINERS or unicodedata.category(character) not in HIDDEN_CATEGORIES:
        return character
    if character < " ":
        return chr(CONTROL_PICTURES + ord(character))
    return DELETE_PICTURE if character == DELETE else f"<U+{ord(character):04X}>"


def shortened(text: str, chars_max: int) -> str:
    """Return the text on one line, cut with an ellipsis if it is longer than `chars_max`."""
    line = " ".join(text.split())
    return line if len(line) <= chars_max else f"{line[: chars_max - 1]}…"
