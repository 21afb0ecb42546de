"""Settings that tools share, read from the environment."""

from datetime import timedelta
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


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
