"""Settings from environment variables, read once at start. All missing and invalid variables are reported together."""

import sys
from typing import Annotated, TypeVar

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from switchboard.telemetry.settings import TelemetrySettings

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


class ModelSettings(BaseSettings):
    """The language model and its endpoint."""

    model_config = SettingsConfigDict(protected_namespaces=())

    api_key: SecretStr = Field(validation_alias="OPENAI_API_KEY", description="API key of the model's endpoint.")
    base_url: AnyHttpUrl | None = Field(
        None,
        validation_alias="OPENAI_BASE_URL",
        description="URL of an OpenAI-compatible endpoint. If unset, OpenAI's.",
    )
    model: str = Field("gpt-5-mini", validation_alias="SWITCHBOARD_MODEL", min_length=1)
    fallback_models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="SWITCHBOARD_FALLBACK_MODELS",
        description="Models to try, in this order, when the first one fails.",
    )

    calls_max: int = Field(
        64, validation_alias="SWITCHBOARD_MODEL_CALLS_MAX", ge=1, description="Maximum concurrent calls of a process."
    )

    @field_validator("fallback_models", mode="before")
    @classmethod
    def split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


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
