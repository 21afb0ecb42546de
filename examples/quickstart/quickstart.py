"""A mesh in one file: a librarian who looks up opening hours."""

from typing import Annotated, Literal

from pydantic import Field
from restate import Context, TerminalError

from switchboard import Agent, Sessions, Toolset, WireModel, serve

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
City = Annotated[str, Field(description="The city.", pattern="^[A-Z][a-z]+$", examples=["Berlin", "Hamburg"])]

WEEKDAYS = {"Berlin": "09:00 to 20:00", "Hamburg": "10:00 to 19:00"}


class Hours(WireModel):
    """When a library is open on a day."""

    city: str
    day: Day
    open: str


libraries = Toolset("Libraries")


@libraries.tool(read_only=True)
async def get_opening_hours(ctx: Context, city: City, day: Day) -> Hours:
    """Look up when the library in a city is open on a day of the week."""
    if city not in WEEKDAYS:
        raise TerminalError(f"There is no library in {city}. There are libraries in {' and '.join(WEEKDAYS)}.", 404)
    return Hours(city=city, day=day, open="closed" if day == "sunday" else WEEKDAYS[city])


librarian = Agent(
    name="Librarian",
    handles="Questions about libraries and their opening hours.",
    instructions="You help the visitors of public libraries. Look up opening hours; never guess them.",
    tools=(get_opening_hours,),
)

if __name__ == "__main__":
    serve(Sessions(first_agent=librarian), librarian, libraries, name="library")
