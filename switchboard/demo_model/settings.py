"""Settings of the demo model, read from the environment once at start."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings

LATENCY_MAX_MS = 600_000
WORD_MS = 20
"""Time between two words of a streamed reply, in milliseconds, so that people see it being written."""


class Mode(StrEnum):
    RULES = "rules"
    SCRIPT = "script"
    RECORDINGS = "recordings"


class SettingsError(Exception):
    """The environment variables are invalid. The message names every invalid variable."""


class Settings(BaseSettings):
    """The environment variables are the field names in upper case."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 9099
    demo_model_mode: Mode = Mode.RULES
    demo_model_script: Path | None = None
    demo_model_recordings: Path | None = None
    demo_model_latency_ms: Annotated[int, Field(ge=0, le=LATENCY_MAX_MS)] = 0
    demo_model_word_ms: Annotated[int, Field(ge=0, le=LATENCY_MAX_MS)] = WORD_MS

    @model_validator(mode="after")
    def _require_file_of_mode(self) -> Self:
        if self.demo_model_mode is Mode.SCRIPT and self.demo_model_script is None:
            raise ValueError("DEMO_MODEL_SCRIPT must name a YAML or JSON file when DEMO_MODEL_MODE is script")
        if self.demo_model_mode is Mode.RECORDINGS and self.demo_model_recordings is None:
            raise ValueError("DEMO_MODEL_RECORDINGS must name a JSON file when DEMO_MODEL_MODE is recordings")
        return self


def read_settings() -> Settings:
    """Read the settings of this process. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        lines = (_error_line(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_url=False))
        raise SettingsError("; ".join(lines)) from error


def _error_line(field: str, message: str) -> str:
    return f"{field.upper()}: {message}" if field else message.removeprefix("Value error, ")
