"""The airline's settings, read from the environment once."""

from functools import cache
from typing import Literal

from pydantic import AwareDatetime, DirectoryPath, Field
from pydantic_settings import BaseSettings

from switchboard.addresses import Urls
from switchboard.runtime.settings import load

AirlineIds = Literal["random", "benchmark"]


class AirlineSettings(BaseSettings):
    """The airline's data set, clock and id sequences."""

    data_dir: DirectoryPath | None = Field(
        None,
        validation_alias="AIRLINE_DATA_DIR",
        description="A folder with flights.json, reservations.json and users.json; if unset, the small built-in set.",
    )
    now: AwareDatetime | None = Field(
        None,
        validation_alias="AIRLINE_NOW",
        description="Stops the airline's clock at this time, ISO 8601 with a time zone; the real time if unset.",
    )
    ids: AirlineIds = Field(
        "random",
        validation_alias="AIRLINE_IDS",
        description="`benchmark`: the first new reservations and certificates get the ids of tau-bench's airline.",
    )
    restate_admin_url: Urls = Field(
        "http://127.0.0.1:9070",
        validation_alias="RESTATE_ADMIN_URL",
        description="Restate's admin API. Several URLs, separated by commas, are tried in turn.",
    )


@cache
def airline_settings() -> AirlineSettings:
    """Read the settings at the first use. Exits the process with a message if one is invalid."""
    return load(AirlineSettings)
