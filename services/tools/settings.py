"""The settings of the tools, read from the environment once."""

from datetime import timedelta
from functools import cache
from typing import Literal

from pydantic import AnyHttpUrl, AwareDatetime, DirectoryPath, Field
from pydantic_settings import BaseSettings

from switchboard.settings import load


class ToolsSettings(BaseSettings):
    """How soon what customers put off may be due, and how long staff have for what waits for them."""

    timer_ahead_min: timedelta = Field(
        timedelta(minutes=1),
        validation_alias="SWITCHBOARD_TIMER_AHEAD_MIN",
        ge=timedelta(seconds=1),
        description="Reminders and scheduled transfers are due at least so far ahead; ISO 8601.",
    )
    approval_deadline: timedelta = Field(
        timedelta(hours=72),
        validation_alias="SWITCHBOARD_APPROVAL_DEADLINE",
        gt=timedelta(0),
        description="For staff to decide an application, in seconds or ISO 8601; then it is declined.",
    )


PolicyMode = Literal["enforce", "log", "off"]


class PolicySettings(BaseSettings):
    """Whether the written policies bind."""

    mode: PolicyMode = Field(
        "enforce",
        validation_alias="POLICY",
        description="`enforce` refuses what a rule forbids, `log` lets it pass and says so, `off` lets it pass.",
    )


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
