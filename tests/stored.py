"""All that a mesh has stored or written, for tests that look for words which must stand nowhere."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from switchboard.testing import Laboratory

TABLES = ("sys_journal", "sys_journal_events", "sys_invocation", "sys_inbox", "sys_promise", "state")


async def stored_in_tables(laboratory: Laboratory) -> bytes:
    """Return the rows of Restate's tables: journals, states, and messages under way."""
    return readable([row for table in TABLES for row in await laboratory.query(f"SELECT * FROM {table}")])


def readable(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows of Restate's tables with their texts, also those of columns with bytes."""
    return b"\n".join(part for row in rows for value in row.values() for part in forms_of(value))


def forms_of(value: object) -> Iterable[bytes]:
    """A value as it is, and as bytes if it may be hex digits, as which Restate shows bytes."""
    text = str(value)
    yield text.encode()
    try:
        yield bytes.fromhex(text)
    except ValueError:
        return


def written_below(folder: Path) -> bytes:
    """Return all files below a folder, such as logs, or Restate's log and its tables."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
