"""The one place that reads the environment: once, at start, naming everything that is missing or wrong at once."""

import sys
from typing import Annotated, TypeVar

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from switchboard.telemetry.settings import TelemetrySettings

AnySettings = TypeVar("AnySettings", bound=BaseSettings)


class ServerSettings(TelemetrySettings):
    """Where a service listens, and whose requests it takes."""

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address to listen on.")
    port: int = Field(9080, validation_alias="PORT", ge=1, le=65535, description="Port to listen on.")
    restate_identity_key: str | None = Field(
        None,
        validation_alias="RESTATE_IDENTITY_KEY",
        description="Public key (publickeyv1_…); when set, only requests signed by that Restate are taken.",
    )


class ModelSettings(BaseSettings):
    """Which language model answers."""

    model_config = SettingsConfigDict(protected_namespaces=())

    api_key: SecretStr = Field(validation_alias="OPENAI_API_KEY", description="Key of the model's endpoint.")
    base_url: AnyHttpUrl | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="An OpenAI-compatible endpoint; OpenAI's own when unset."
    )
    model: str = Field("gpt-5-mini", validation_alias="SWITCHBOARD_MODEL", min_length=1)
    fallback_models: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="SWITCHBOARD_FALLBACK_MODELS", description="Tried in order when the first one is ill."
    )

    calls_max: int = Field(
        64, validation_alias="SWITCHBOARD_MODEL_CALLS_MAX", ge=1, description="Calls of a process at the same time."
    )

    @field_validator("fallback_models", mode="before")
    @classmethod
    def split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


def load(kind: type[AnySettings]) -> AnySettings:
    """Read the settings, or end the process with one sentence for each variable that is missing or wrong."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            where = ".".join(str(part) for part in problem["loc"])
            said = problem["msg"].removeprefix("Value error, ")
            # What is wrong with several of them together has no place of its own.
            sys.stderr.write(f"{where}: {said}\n" if where else f"{said}\n")
        sys.stderr.write(
            "Set these environment variables and start again; docs/reference/configuration.md lists them all.\n"
        )
        raise SystemExit(1) from error
