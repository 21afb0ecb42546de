"""Output of the command line: nothing that a customer, a model or a service writes steers the terminal."""

import ast
import io
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from switchboard.cli.console import VisibleConsole
from switchboard.cli.text import KEPT, visible
from tests.parts import PROJECT

TITLE, CLIPBOARD = "\x1b]0;owned\x07", "\x1b]52;c;b3duZWQ=\x07"
LINK = "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\"
REORDERED = "pay \u202eEUR 0001\u202c to Bob\u2066\u200b\ufeff"
C1 = "\x9b2J\x9d0;owned\x9c\x90\x85\u2028"

OWN = re.compile(r"\x1b\[[0-9;]*m")
"""The styles that Rich itself writes on a terminal."""


def printed(text: str, terminal: bool) -> str:
    """Print a text in every way that commands use."""
    console = VisibleConsole(
        file=io.StringIO(), width=100, markup=False, emoji=False, force_terminal=terminal, color_system="standard"
    )
    table = Table(box=None)
    table.add_column()
    table.add_row(text)
    table.add_row(Text(text, style="bold"))
    for output in (table, text, Text.assemble((text, "dim"))):
        console.print(output)
    console.print(text, style="red", highlight=False, soft_wrap=True)
    console.out(text, highlight=False)
    console.rule(text)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("text", [TITLE, CLIPBOARD, LINK, REORDERED, C1, "\r\x1b[2K\x1b[1Aapproved", "\x00\x7f\x08"])
def test_escapes_are_shown_and_not_sent(text: str, terminal: bool) -> None:
    written = OWN.sub("", printed(text, terminal))
    assert hidden(written) == set()


@given(st.text())
@example(TITLE + CLIPBOARD + LINK + REORDERED + C1)
def test_no_text_reaches_the_terminal_with_a_hidden_character(text: str) -> None:
    assert hidden(visible(text)) == set()
    assert visible(visible(text)) == visible(text)


def hidden(text: str) -> set[str]:
    """Return the characters that steer a terminal, reorder text or show nothing, but for joiners of emoji."""
    controls = {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return controls - {*KEPT, "\u200c", "\u200d"}


def test_ordinary_text_is_not_changed() -> None:
    for text in ("", "Müller, Hans\n\tłø 🇩🇪 👩‍👩‍👧 שלום مرحبا 你好", "[bold]no markup[/bold] :smile:"):
        assert visible(text) == text
    assert "[link=https://evil.example]x[/link]" in printed("[link=https://evil.example]x[/link]", False)
    assert "]8;" not in printed("[link=https://evil.example]x[/link]", True)


def test_hidden_characters_have_a_visible_name() -> None:
    assert visible("a\x1b]0;b\x7f\u202ec\x9b") == "a␛]0;b␡<U+202E>c<U+009B>"


def test_commands_print_only_through_the_console() -> None:
    """A text that is printed in another way would reach the terminal as it is."""
    others = []
    for path in sorted((PROJECT / "switchboard" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            bare = called in ("print", "Console", "typer.echo", "typer.secho", "pprint", "sys.stdout.buffer.write")
            if bare or called.endswith((".stdout.write", ".stderr.write", ".stdout.writelines", "stderr.writelines")):
                others.append(f"{path.name}:{node.lineno}: {called}")
    assert others == []
