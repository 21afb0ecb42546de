"""Settings from environment variables, read once at start. All missing and invalid variables are reported together."""

import sys
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

from switchboard.models.settings import ModelSettings
from switchboard.telemetry.settings import TelemetrySettings

__all__ = ["AnySettings", "ModelSettings", "ServerSettings", "load"]

AnySettings = TypeVar("AnySettings", bound=BaseSettings)


class ServerSettings(TelemetrySettings):
    """The address of a service, and the Restate whose requests it accepts."""

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address to listen on.")
    port: int = Field(9080, validation_alias="PORT", ge=1, le=65535, description="Port to listen on.")
    restate_identity_key: str | None = Field(
        None,
        validation_alias="RESTATE_IDENTITY_KEY",
        description="Public key (publickeyv1_…). If set, only requests signed by this Restate are accepted.",
    )


def load(kind: type[AnySettings]) -> AnySettings:
    """Read the settings. On an error, print one line for each missing or invalid variable and exit with code 1."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            where = ".".join(str(part) for part in problem["loc"])
            message = problem["msg"].removeprefix("Value error, ")
            # A problem with a combination of variables has no location.
            sys.stderr.write(f"{where}: {message}\n" if where else f"{message}\n")
        sys.stderr.write(
            "Set these environment variables and start again. docs/reference/configuration.md lists all of them.\n"
        )
        raise SystemExit(1) from error
