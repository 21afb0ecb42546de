"""Text of models and customers: what is removed, what stays, and what a name needs."""

import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from switchboard.session.contract import SendMessage
from switchboard.text import (
    NAME_MAX_CHARS,
    Line,
    Name,
    Paragraph,
    PlainText,
    message_text,
    one_line,
    paragraphs,
    quoted,
)

NAME: TypeAdapter[str] = TypeAdapter(Name)
LINE: TypeAdapter[str] = TypeAdapter(Line)
PARAGRAPH: TypeAdapter[str] = TypeAdapter(Paragraph)

# Every kind of character, and more often those that hide, reorder or join others.
TEXTS = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Mn"]),
        st.sampled_from("a ü“\"'\u200d\u200c\ufe0f\u180b\U0001f3f4\U000e0067\U000e007f\n\r"),
    ),
    max_size=40,
)

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(TEXTS)
def test_argument_on_one_line_shows_everything_it_contains(text: str) -> None:
    line = one_line(text)
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not set(line) & set('"“”\u034f\u115f\u1160\u3164\uffa0\ufe0f\u180b')
    assert line == " ".join(line.split())
    assert unicodedata.is_normalized("NFC", line)
    assert one_line(line) == line


@given(TEXTS)
def test_paragraph_keeps_only_newlines_of_all_controls(text: str) -> None:
    cleaned = paragraphs(text)
    assert not {unicodedata.category(char) for char in cleaned.replace("\n", "")} & {"Cc", "Cf", "Zl", "Zp"}
    assert paragraphs(cleaned) == cleaned
    assert "\n\n\n" not in cleaned


@given(TEXTS)
def test_message_has_no_control_or_bidirectional_character(text: str) -> None:
    cleaned = message_text(text)
    assert {char for char in cleaned if unicodedata.category(char) == "Cc"} <= {"\n", "\t"}
    assert not set(cleaned) & set(BIDIRECTIONAL)
    assert message_text(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\n\n\n\tand a tab",
        "family 👩‍👩‍👧‍👦, heart on fire ❤️‍🔥, key 1️⃣, thumb 👍🏽, France 🇫🇷, Scotland 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "مرحبا، أريد تحويل ١٠ يورو",
        "שלום, אני רוצה להעביר כסף",
        "می‌خواهم پول بفرستم",  # Persian needs the zero-width non-joiner.
        "ಕ್‍ಷ ശ്രീ",
        'He said "no" and “yes”, 你好,こんにちは',
        "Zażółć gęślą jaźń – naïve façade…",
    ],
)
def test_honest_message_stays_as_it_is(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert message_text(text) == text
    assert SendMessage(customer_id="alice", text=text).text == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("call me \x1b]0;owned\x07 \x1b]52;c;b3duZWQ=\x07", "call me ]0;owned ]52;c;b3duZWQ="),
        ("pay \u202eboB\u202c", "pay boB"),
        ("pay\u2067 x\u2069", "pay x"),
        ("a\u200bb\u2060c\ufeffd\xade", "abcde"),
        ("a\ufff9b\ufffac\ufffbd", "abcd"),
        ("hi\U000e0049\U000e0067n", "hin"),  # Tags that hide a text.
        ("hi🏴\U000e0049\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065 all", "hi🏴 all"),
        ("a\u200d\u200d\u200c\ufe0f\ufe0fb \u200d\ufe0fc", "a\u200db c"),
        ("a\r\nb\rc\u2028d\x85e\x1ff", "a\nb\nc\nd\ne f"),
        ("Mu\u0308ller", "Müller"),
    ],
)
def test_hostile_message_is_read_without_its_hidden_characters(text: str, read: str) -> None:
    assert message_text(text) == read


@pytest.mark.parametrize("text", ["\u200d", "\u202e \u2060", "\x1b", "\u3164"])
def test_message_of_hidden_characters_only_is_empty(text: str) -> None:
    with pytest.raises(ValidationError, match="is empty"):
        SendMessage(customer_id="alice", text=text)


@pytest.mark.parametrize(
    "name",
    ["Müller, Hans", "Nguyễn Văn Đức", "O'Neill & Sons (Dublin) +1/2", "李小龙", "محمد علي", "3M", "Łukasz Ø. Åse"],
)
def test_lawful_name_stays_as_it_is(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "\u200d", "\u3164", "...", "\u0301", "'\"'", "x" * (NAME_MAX_CHARS + 1), 5, None]
)
def test_name_without_letter_or_digit_is_refused(name: object) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(name)


def test_name_of_a_model_is_cleaned_before_it_is_measured() -> None:
    assert NAME.validate_python("  Bob\u200d\n \u202e“the”   Builder  ") == "Bob 'the' Builder"
    assert len(LINE.validate_python("a" + "\u200d" * 500)) == 1
    assert PARAGRAPH.validate_python("one\r\ntwo") == "one\ntwo"


def test_plain_text_has_limits_and_a_pattern() -> None:
    adapter = TypeAdapter(Annotated[str, PlainText(5, min_chars=2, pattern="[a-z]+"), Field(description="Letters.")])
    assert adapter.validate_python(" ab\u200dc ") == "abc"
    for wrong in ("a", "abcdef", "AB"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
    assert adapter.json_schema() == {
        "description": "Letters.",
        "maxLength": 5,
        "minLength": 2,
        "type": "string",
    }


@given(TEXTS, TEXTS)
def test_quoted_arguments_differ_if_the_arguments_do(one: str, other: str) -> None:
    one, other = one_line(one), one_line(other)
    assert (quoted(one) == quoted(other)) == (one == other)
    assert quoted(one).count("“") == quoted(one).count("”") == 1
