"""Settings that tools share, read from environment variables."""

from datetime import timedelta
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class ToolsSettings(BaseSettings):
    """Limits for scheduled operations and for decisions by staff."""

    timer_ahead_min: timedelta = Field(
        timedelta(minutes=1),
        validation_alias="SWITCHBOARD_TIMER_AHEAD_MIN",
        ge=timedelta(seconds=1),
        description="Minimum time until a reminder, scheduled transfer or standing order is due. Seconds or ISO 8601.",
    )
    approval_deadline: timedelta = Field(
        timedelta(hours=72),
        validation_alias="SWITCHBOARD_APPROVAL_DEADLINE",
        gt=timedelta(0),
        description="Time for staff to decide an application or a dispute before it is declined. Seconds or ISO 8601.",
    )


PolicyMode = Literal["enforce", "log", "off"]


class PolicySettings(BaseSettings):
    """Whether the written policies are enforced."""

    mode: PolicyMode = Field(
        "enforce",
        validation_alias="POLICY",
        description="`enforce` refuses violations, `log` allows and logs them, `off` allows them.",
    )
