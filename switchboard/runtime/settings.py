"""Settings from environment variables, read once at start. All missing and invalid variables are reported together."""

import logging
import sys
from typing import Annotated, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from switchboard.addresses import check_urls
from switchboard.models.settings import ModelSettings
from switchboard.speaker import KEY_MIN_BYTES, SpeakerKeys
from switchboard.telemetry.settings import TelemetrySettings
from switchboard.web_pages import is_loopback

__all__ = ["AnySettings", "LiveSettings", "ModelSettings", "ServerSettings", "SpeakerSettings", "is_loopback", "load"]

logger = logging.getLogger(__name__)

NO_SPEAKER_KEYS = (
    "SWITCHBOARD_SPEAKER_KEYS is not set: requests are not signed. Any process that reaches Restate's ingress can speak"
    " for any customer. This is accepted only because HOST is a loopback address."
)

BROKER_SCHEMES = ("redis", "rediss", "unix")
BROKER_OPTIONS = {"ssl_ca_certs"}
"""The file with the certificates of the authorities that may have signed the broker's."""

AnySettings = TypeVar("AnySettings", bound=BaseSettings)


class ServerSettings(TelemetrySettings):
    """The address of a service, and the Restate whose requests it accepts."""

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address to listen on.")
    port: int = Field(9080, validation_alias="PORT", ge=1, le=65535, description="Port to listen on.")
    restate_identity_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="RESTATE_IDENTITY_KEY",
        description="Comma-separated public keys (publickeyv1_…). If set, only requests that Restate has signed with "
        "one of them are accepted.",
    )

    @field_validator("restate_identity_keys", mode="before")
    @classmethod
    def split_keys(cls, value: object) -> object:
        return split(value)


class SpeakerSettings(BaseSettings):
    """The keys with which the gateway signs requests, and sessions verify them."""

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address to listen on.")
    speaker_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        validation_alias="SWITCHBOARD_SPEAKER_KEYS",
        description="Comma-separated keys of the whole mesh. The gateway signs with the first; all of them are valid.",
    )

    @field_validator("speaker_keys", mode="before")
    @classmethod
    def split_speaker_keys(cls, value: object) -> object:
        return split(value)

    @field_validator("speaker_keys")
    @classmethod
    def long_enough_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        return long_enough(value)

    @model_validator(mode="after")
    def keys_outside_of_development(self) -> Self:
        if not self.speaker_keys and not is_loopback(self.host):
            raise ValueError(
                "SWITCHBOARD_SPEAKER_KEYS is not set. It may be missing only on a loopback HOST; generate a key with "
                "`openssl rand -hex 32` and give the same one to the gateway and to the services"
            )
        return self

    def speaker(self) -> SpeakerKeys | None:
        """Return the keys. Without keys, log a warning and return None."""
        if not self.speaker_keys:
            logger.warning(NO_SPEAKER_KEYS)
            return None
        return SpeakerKeys([key.get_secret_value() for key in self.speaker_keys])


class LiveSettings(BaseSettings):
    """The gateways that are told about running turns."""

    events_urls: str = Field(
        "",
        validation_alias="SWITCHBOARD_EVENTS_URLS",
        description="Where gateways accept events: http://host:port, or several separated by commas. Each name stands "
        "for all of its addresses. Empty: people who watch a conversation see only turns that have ended.",
    )

    @field_validator("events_urls")
    @classmethod
    def valid_urls(cls, value: str) -> str:
        urls = check_urls(value) if value.strip() else ""
        for url in filter(None, urls.split(",")):
            parts = urlsplit(url)
            if parts.scheme != "http" or parts.path.strip("/") or parts.query:
                raise ValueError(f"{url} is not http://host:port")
        return urls

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The names and ports of the gateways."""
        parts = [urlsplit(url) for url in self.events_urls.split(",") if url]
        return [(part.hostname or "", part.port or 80) for part in parts]


class BrokerSettings(BaseSettings):
    """The broker between the mesh's processes and its gateways."""

    events_broker_url: SecretStr = Field(
        SecretStr(""),
        validation_alias="SWITCHBOARD_EVENTS_BROKER_URL",
        description="A Redis that carries live events: redis://, rediss:// (TLS) or unix://, with its user and "
        "password. Processes and gateways need the same one. Empty: processes connect to SWITCHBOARD_EVENTS_URLS only.",
    )

    @field_validator("events_broker_url")
    @classmethod
    def valid_broker(cls, value: SecretStr) -> SecretStr:
        # The messages do not repeat the URL, which contains a password.
        url = value.get_secret_value().strip()
        try:
            parts = urlsplit(url)
            named = bool(parts.path if parts.scheme == "unix" else parts.hostname and parts.port != 0)
        except ValueError:
            named = False
        if url and not (named and parts.scheme in BROKER_SCHEMES):
            raise ValueError("is not redis://user:password@host:port, rediss://… or unix:///path")
        if url and not set(parse_qs(parts.query)) <= BROKER_OPTIONS:
            raise ValueError(f"has an unknown option after ?. It may have {' and '.join(BROKER_OPTIONS)} only")
        return SecretStr(url)


class EventsKeySettings(BaseSettings):
    """The keys of the live channel, with which the mesh's processes and the gateways prove to each other who they are.

    They are not the keys with which the gateway signs requests, because agents have them: agents read the texts of
    customers and models, and with the gateway's keys one could speak for any customer.
    """

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address to listen on.")
    events_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        validation_alias="SWITCHBOARD_EVENTS_KEYS",
        description="Comma-separated keys of the live channel; by default SWITCHBOARD_SPEAKER_KEYS. The first one "
        "signs, all of them are valid.",
    )
    speaker_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field((), validation_alias="SWITCHBOARD_SPEAKER_KEYS")

    @field_validator("events_keys", "speaker_keys", mode="before")
    @classmethod
    def split_events_keys(cls, value: object) -> object:
        return split(value)

    @field_validator("events_keys")
    @classmethod
    def long_enough_events_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        return long_enough(value)

    def channel(self) -> SpeakerKeys | None:
        """Return the keys; None without keys."""
        keys = self.events_keys or self.speaker_keys
        return SpeakerKeys([key.get_secret_value() for key in keys]) if keys else None

    @property
    def may_be_open(self) -> bool:
        """Whether the channel may be used: with keys, or without on this machine only."""
        return bool(self.events_keys or self.speaker_keys) or is_loopback(self.host)


def long_enough(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value().encode()) < KEY_MIN_BYTES for key in value):
        raise ValueError(f"has a key shorter than {KEY_MIN_BYTES} bytes; generate one with `openssl rand -hex 32`")
    return value


def split(value: object) -> object:
    """Split a comma-separated variable; an empty one has no values."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


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
