"""A mesh in one file: a librarian who looks up opening hours. To start it, run `switchboard up` in this folder."""

from typing import Literal

from restate import Context

from switchboard import Agent, Sessions, Toolset, WireModel, serve

City = Literal["Berlin", "Hamburg"]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

WEEKDAYS: dict[City, str] = {"Berlin": "09:00 to 20:00", "Hamburg": "10:00 to 19:00"}


class OpeningHours(WireModel):
    """When a library is open on a day of the week."""

    city: City
    day: Day
    open: str


libraries = Toolset("Libraries")


@libraries.tool(read_only=True)
async def get_opening_hours(ctx: Context, city: City, day: Day) -> OpeningHours:
    """Look up when the library in a city is open on a day of the week."""
    return OpeningHours(city=city, day=day, open="closed" if day == "Sunday" else WEEKDAYS[city])


librarian = Agent(
    name="Librarian",
    handles="Questions about libraries and their opening hours.",
    instructions="You help the visitors of public libraries. Look up opening hours; never guess them.",
    tools=(get_opening_hours,),
)

if __name__ == "__main__":
    serve(Sessions(first_agent=librarian), librarian, libraries)
