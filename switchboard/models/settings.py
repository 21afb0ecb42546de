"""Which language models answer, read from the environment once at start."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any, Self, cast

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from switchboard.models.endpoint import MODEL_CALL_TIMEOUT
from switchboard.models.providers import OPTIONAL, PROVIDERS, Optional, Provider, WireApi, provider_at, split_name

NO_KEY = "not-needed"
"""Sent to servers that run without a key: the clients demand one."""


class ProviderSettings(BaseSettings):
    """One provider's settings; their names begin with the provider's, such as GROQ_API_KEY."""

    api_key: SecretStr | None = Field(None, description="Key of the provider's endpoint.")
    base_url: AnyHttpUrl | None = Field(None, description="Another address of the provider's endpoint.")
    wire_api: WireApi | None = Field(
        None, description="`responses`, `chat` or `messages`, where the endpoint speaks another one than its provider."
    )
    sends: Annotated[frozenset[Optional] | None, NoDecode] = Field(
        None, description="Comma-separated optional fields that the endpoint takes, or `all`, or `none`."
    )

    @field_validator("sends", mode="before")
    @classmethod
    def split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = frozenset(name.strip() for name in value.split(",") if name.strip())
        if not names:
            return None
        named = OPTIONAL if names == {"all"} else frozenset() if names == {"none"} else names
        if unknown := sorted(named - OPTIONAL):
            raise ValueError(f"{unknown[0]!r} is no optional field; known are {', '.join(sorted(OPTIONAL))}, all, none")
        return named


@dataclass(frozen=True)
class Choice:
    """A model of a provider, with everything that is needed to reach it."""

    name: str
    provider: Provider
    model: str
    base_url: str
    api: WireApi
    key: str = field(repr=False)


class ModelSettings(BaseSettings):
    """Which language model answers.

    A model is named `provider:model`, such as `anthropic:claude-sonnet-5-5`. A name without a provider is one of
    OpenAI's, or, when only Anthropic's key is there, of Anthropic's.
    """

    model_config = SettingsConfigDict(protected_namespaces=())

    api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="Key of OpenAI, or of the endpoint at OPENAI_BASE_URL."
    )
    base_url: AnyHttpUrl | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="An OpenAI-compatible endpoint; OpenAI's own when unset."
    )
    anthropic_api_key: SecretStr | None = Field(
        None, validation_alias="ANTHROPIC_API_KEY", description="Key of Anthropic."
    )
    model: str = Field(
        "",
        validation_alias="SWITCHBOARD_MODEL",
        description="`provider:model`; by default a model of the provider whose key is there.",
    )
    fallback_models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="SWITCHBOARD_FALLBACK_MODELS",
        description="Comma-separated; tried in order if the first model is unavailable. Other providers are allowed.",
    )
    options: dict[str, dict[str, Any]] = Field(
        {},
        validation_alias="SWITCHBOARD_MODEL_OPTIONS",
        description='JSON, by model: {"openai:gpt-5-mini": {"reasoning": {"effort": "low"}}}; added to each request.',
    )
    timeout: timedelta = Field(
        MODEL_CALL_TIMEOUT,
        validation_alias="SWITCHBOARD_MODEL_TIMEOUT",
        gt=timedelta(0),
        description="For one call of a model, from connecting to the last byte, in ISO 8601.",
    )
    calls_max: int = Field(
        64, validation_alias="SWITCHBOARD_MODEL_CALLS_MAX", ge=1, description="Calls of a process at the same time."
    )

    @field_validator("fallback_models", mode="before")
    @classmethod
    def split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def can_be_reached(self) -> Self:
        """Refuse what could not answer: a missing key is told at start and not to the first customer."""
        for name in self.names():
            self.choose(name)
        return self

    def names(self, own: str = "") -> tuple[str, ...]:
        """The models in the order in which they are tried. `own` is an agent's own model, which comes first."""
        return (own or self.model or self.default_name, *self.fallback_models)

    @property
    def default_provider(self) -> Provider:
        """OpenAI, unless Anthropic's key is the only one."""
        openai = self.api_key is not None or self.base_url is not None
        return PROVIDERS["openai" if openai or self.anthropic_api_key is None else "anthropic"]

    @property
    def default_name(self) -> str:
        return self.default_provider.default_model

    def choose(self, name: str) -> Choice:
        """Return what is needed to reach the model of that name. Raises ValueError, which says what to set."""
        named, model = split_name(name)
        preset = PROVIDERS[named] if named else self.default_provider
        own = provider_settings(preset)
        base_url = str(own.base_url).rstrip("/") if own.base_url else None
        provider = provider_at(preset.name, base_url)
        if own.api_key is None and preset.key_needed:
            either = (
                "" if named or self.model else " (or ANTHROPIC_API_KEY, or name another provider in SWITCHBOARD_MODEL)"
            )
            raise ValueError(f"{preset.prefix}_API_KEY is needed for the model {name!r}. Set it{either}")
        address = base_url or preset.base_url
        if address is None:
            raise ValueError(f"{preset.prefix}_BASE_URL is needed for the model {name!r}: {preset.source}")
        if own.sends is not None:
            provider = with_sends(provider, own.sends)
        key = own.api_key.get_secret_value() if own.api_key else NO_KEY
        return Choice(name, provider, model, address, own.wire_api or provider.api, key)


def provider_settings(provider: Provider) -> ProviderSettings:
    """Read a provider's settings. Raises ValueError, which names the variable."""
    return cast(Any, ProviderSettings)(_env_prefix=f"{provider.prefix}_")  # type: ignore[no-any-return]


def with_sends(provider: Provider, sends: frozenset[Optional]) -> Provider:
    return replace(provider, sends=sends, notes="developer" if "developer" in sends else provider.notes)
