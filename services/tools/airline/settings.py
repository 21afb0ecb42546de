"""The airline's settings, read from the environment once."""

from functools import cache
from typing import Literal

from pydantic import AnyHttpUrl, AwareDatetime, DirectoryPath, Field
from pydantic_settings import BaseSettings

from switchboard.runtime.settings import load

AirlineIds = Literal["random", "benchmark"]


class AirlineSettings(BaseSettings):
    """Which airline this is, and what time it is there."""

    data_dir: DirectoryPath | None = Field(
        None,
        validation_alias="AIRLINE_DATA_DIR",
        description="A folder with flights.json, reservations.json and users.json; our own small set when unset.",
    )
    now: AwareDatetime | None = Field(
        None,
        validation_alias="AIRLINE_NOW",
        description="Stops the airline's clock at this instant, ISO 8601 with a zone; Restate's clock when unset.",
    )
    ids: AirlineIds = Field(
        "random",
        validation_alias="AIRLINE_IDS",
        description="`benchmark`: the first ids of reservations and certificates are those of tau-bench's airline.",
    )
    restate_admin_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://127.0.0.1:9070"), validation_alias="RESTATE_ADMIN_URL", description="Restate's admin API."
    )


@cache
def airline_settings() -> AirlineSettings:
    """Read at the first use. Ends the process, naming what is wrong."""
    return load(AirlineSettings)
