"""An agent whose tools call the HTTP API of a carrier."""

from typing import Annotated, Literal

from pydantic import Field
from restate import Context

from switchboard import Agent, Sessions, Toolset, WireModel, serve
from switchboard.toolkit.http_api import HttpApi
from switchboard.words import OthersWords, OurWords

Number = Annotated[str, Field(pattern="^P-[0-9]{4}$", examples=["P-1001"], description="The parcel's number.")]
City = Literal["Berlin", "Hamburg", "Munich"]


class Parcel(WireModel):
    """A parcel. The carrier writes these texts, so that models see them as other people's words."""

    number: OurWords
    place: OthersWords
    status: OthersWords


class Destination(WireModel):
    place: City


carrier = HttpApi("PARCELS_URL", token_variable="PARCELS_TOKEN")
parcels = Toolset("Parcels")


@parcels.tool(read_only=True)
async def track_parcel(ctx: Context, number: Number) -> Parcel:
    """Look up where a parcel is."""
    return await carrier.read(ctx, "/parcels/{number}", Parcel, {"number": number})


@parcels.tool(consent=lambda call: f"Send parcel {call.number} to {call.city}?", label="redirect the parcel")
async def redirect_parcel(ctx: Context, number: Number, city: City) -> Parcel:
    """Redirect a parcel to another city."""
    destination = Destination(place=city)
    return await carrier.write(ctx, "POST", "/parcels/{number}/redirect", Parcel, {"number": number}, destination)


clerk = Agent(
    name="Clerk",
    handles="Questions about parcels.",
    instructions="You help the customers of a carrier. Look up a parcel before you say anything about it.",
    tools=(track_parcel, redirect_parcel),
)

if __name__ == "__main__":
    serve(Sessions(first_agent=clerk), clerk, parcels, carrier)
