"""An agent whose work is outside of the mesh: `python -m tests.traces.outside`.

Its tools write to PostgreSQL (OUTSIDE_DATABASE_URL) and call an HTTP API (OUTSIDE_API_URL). It hands over to an agent
of others (INSURER_URL).
"""

import os

from restate import Context

from switchboard import Agent, Toolset, WireModel, serve
from switchboard.remote import RemoteAgent
from switchboard.toolkit.http_api import HttpApi
from switchboard.toolkit.sql import Database, Transaction
from switchboard.words import OthersWords, OurWords


class Note(WireModel):
    """A word that a person has said."""

    text: OthersWords


class Written(WireModel):
    """How many notes there are."""

    state: OurWords


database = Database("OUTSIDE_DATABASE_URL")
api = HttpApi("OUTSIDE_API_URL", token_variable="OUTSIDE_API_TOKEN")
outside = Toolset("Outside")


async def insert_note(transaction: Transaction, note: Note) -> Written:
    await transaction.execute("INSERT INTO notes VALUES (%s)", (note.text,))
    row = await transaction.row("SELECT count(*) FROM notes WHERE text = %(text)s", note.model_dump())
    assert row is not None
    return Written(state=f"{row['count']} notes")


@outside.tool(label="write down", verified=False)
async def write_down(ctx: Context, text: str) -> Written:
    """Write a note."""
    return await database.write(ctx, insert_note, Note(text=text))


@outside.tool(read_only=True, verified=False)
async def look_up(ctx: Context, text: str) -> Note:
    """Look a word up."""
    return await api.read(ctx, "/words/{word}", Note, {"word": text}, {"also": text})


scribe = Agent(name="Scribe", handles="Notes.", instructions="You write notes down.", tools=(write_down, look_up))

if __name__ == "__main__":
    insurer = RemoteAgent(name="Insurer", handles="Travel insurance.", url=os.environ["INSURER_URL"])
    serve(scribe, outside, insurer, database, api)
