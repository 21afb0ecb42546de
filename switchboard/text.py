"""Text that models and customers write, as tools and sessions accept it. Pure.

Nothing in such a text may hide, reorder or imitate other text. Text is normalised (Unicode NFC). Characters that show
nothing or change the order of others are removed instead of refused, because people paste them without knowing.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NAME_MAX_CHARS = 70
"""Longest name. SEPA allows as many characters for the name of a payer or payee."""

LINE_MAX_CHARS = 200
PARAGRAPH_MAX_CHARS = 2_000

LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""Line breaks other than the newline."""

INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # Control characters, such as those that steer a terminal.
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # Characters that show nothing.
    "\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f"  # Bidirectional and other format characters.
    "\u200b\ufeff\ufff0-\ufffb\ufe00-\ufe0d"  # Zero-width space, annotations, most variation selectors.
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # Format characters of shorthand and music.
    "\ud800-\udfff\ufdd0-\ufdef"  # Half characters, and code points that are no characters.
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
)
"""Characters that no text needs, as ranges of a regular expression."""

JOINERS = "\u200c\u200d"
"""Zero-width joiners. Emoji, and some scripts of India and Persia, need them between visible characters."""

SELECTORS = "\ufe0e\ufe0f\u180b-\u180f"
"""Variation selectors of emoji and of Mongolian."""

TAGS = "\U000e0000-\U000e0fff"
PRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
"""Characters without a meaning of their own: each font shows something else."""

SIGNS = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U00013455"
"""Format characters of Arabic, Syriac, Kaithi and hieroglyphs that enclose or place the characters after them."""

HIDDEN = re.compile(f"[{INVISIBLE}]+")
HIDDEN_IN_ARGUMENTS = re.compile(f"[{INVISIBLE}{JOINERS}{SELECTORS}{TAGS}{PRIVATE}{SIGNS}]+")
JOINED = re.compile(f"(?P<blank>\\A|\\s)?[{JOINERS}{SELECTORS}]+")
KEPT_JOINED = re.compile(f"[{SELECTORS}]?[{JOINERS}]?")

# A flag such as that of Scotland is a black flag, and a country's code of up to six letters and digits in tags.
FLAG_OR_TAGS = re.compile(
    f"(?P<flag>\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{1,6}}\U000e007f)|[{TAGS}]+"
)

QUOTATION_MARKS = str.maketrans(dict.fromkeys('"“”„‟″＂〝〞〟', "'"))
"""Double quotation marks become single ones, so that a quoted text has one beginning and one end."""

BLANK_LINES = re.compile(r"\n{3,}")


def one_line(text: str) -> str:
    """Return the text on one line, without invisible characters, and with single spaces and quotation marks."""
    visible = HIDDEN_IN_ARGUMENTS.sub("", text)
    return unicodedata.normalize("NFC", " ".join(visible.split())).translate(QUOTATION_MARKS)


def paragraphs(text: str) -> str:
    """Return the text as `one_line` does, but with its line breaks and at most one blank line in a row."""
    lines = LINE_BREAK.sub("\n", text).split("\n")
    return BLANK_LINES.sub("\n\n", "\n".join(one_line(line) for line in lines)).strip("\n")


def message_text(text: str) -> str:
    """Return a message as agents and staff read it: without characters that hide text, reorder it or steer a terminal.

    Line breaks, tabs, emoji and every script stay. A joiner or selector stays where it follows a visible character.
    """
    broken = LINE_BREAK.sub("\n", text).replace("\x1f", " ")
    visible = FLAG_OR_TAGS.sub(lambda found: found["flag"] or "", HIDDEN.sub("", broken))
    return unicodedata.normalize("NFC", JOINED.sub(kept_joined, visible))


def kept_joined(found: re.Match[str]) -> str:
    """Return what stays of a run of joiners and selectors: one of each, and none without a character before them."""
    if found["blank"] is not None:
        return found["blank"]
    kept = KEPT_JOINED.match(found[0])
    return kept[0] if kept else ""


def visible_json(value: Any) -> Any:
    """Return a JSON value in which every text, at any depth, is a `message_text`."""
    if isinstance(value, str):
        return message_text(value)
    if isinstance(value, list):
        return [visible_json(each) for each in value]
    if isinstance(value, dict):
        return {key: visible_json(each) for key, each in value.items()}
    return value


def quoted(text: str) -> str:
    """Return the text in quotation marks, for a question or a report. Put it last: other people wrote it."""
    return f"“{text.translate(QUOTATION_MARKS)}”"


def has_letter_or_digit(text: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in text)


@dataclass(frozen=True)
class PlainText:
    """Mark a `str` field of a tool's input as text that a model writes; `Name`, `Line` and `Paragraph` are such types.

    ```python
    Reference = Annotated[str, PlainText(max_chars=140), Field(description="Text for the recipient.")]
    ```
    """

    max_chars: int
    min_chars: int = 0
    lines: bool = False
    """True if the text may have several lines."""

    names: bool = False
    """True if the text names a person or a thing, and so needs at least one letter or digit."""

    pattern: str | None = None
    """A regular expression for the whole text that remains. It is not part of the JSON schema."""

    def clean(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return paragraphs(value) if self.lines else one_line(value)

    def check(self, text: str) -> str:
        if self.names and not has_letter_or_digit(text):
            raise PydanticCustomError("no_name", "a name needs at least one letter or digit")
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            raise PydanticCustomError("wrong_text", "the text must match {pattern}", {"pattern": self.pattern})
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text: CoreSchema = core_schema.str_schema(
            min_length=max(self.min_chars, int(self.names)) or None, max_length=self.max_chars
        )
        checked = core_schema.no_info_after_validator_function(self.check, text)
        return core_schema.no_info_before_validator_function(self.clean, checked)


Name = Annotated[str, PlainText(NAME_MAX_CHARS, names=True)]
"""A tool's argument that names a person or a thing: one line with at least one letter or digit."""

Line = Annotated[str, PlainText(LINE_MAX_CHARS)]
"""A tool's argument of one line; may be empty."""

Paragraph = Annotated[str, PlainText(PARAGRAPH_MAX_CHARS, lines=True)]
"""A tool's argument of several lines; may be empty."""
