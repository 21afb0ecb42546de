"""The gateway's settings, read from the environment once at start: where it listens, whose tokens it believes."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from switchboard.runtime.settings import ServerSettings

SECRET_MIN_BYTES = 32
"""An HS256 key that is shorter can be guessed (RFC 7518, 3.2)."""

ONE_OF = "set exactly one of GATEWAY_JWT_SECRET (HS256) and GATEWAY_JWKS_URL (RS256, ES256)"


class ListenSettings(ServerSettings):
    """Where the gateway listens: customers at one port, Prometheus at another."""

    port: int = Field(8000, validation_alias="PORT", ge=1, le=65535, description="Port for customers.")
    metrics_port: int = Field(
        9464,
        validation_alias="METRICS_PORT",
        ge=1,
        le=65535,
        description="Port of /metrics and of the probes, which no route to the customers' port can show or keep busy.",
    )


class TokenSettings(BaseSettings):
    """Whose bearer tokens are believed, and what is read from them."""

    jwt_secret: SecretStr | None = Field(
        None, validation_alias="GATEWAY_JWT_SECRET", description="HS256: shared with whoever signs customers in."
    )
    jwks_url: AnyHttpUrl | None = Field(
        None, validation_alias="GATEWAY_JWKS_URL", description="RS256 or ES256: the identity provider's public keys."
    )
    jwt_issuer: str | None = Field(
        None, validation_alias="GATEWAY_JWT_ISSUER", min_length=1, description="Must be the token's iss."
    )
    jwt_audience: str | None = Field(
        None, validation_alias="GATEWAY_JWT_AUDIENCE", min_length=1, description="Must be in the token's aud."
    )
    customer_claim: str = Field(
        "sub", validation_alias="GATEWAY_CUSTOMER_CLAIM", min_length=1, description="The claim with the customer's id."
    )
    signed_in_acr: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="GATEWAY_SIGNED_IN_ACR",
        description="Comma-separated: the acr values with which a customer counts as signed in. Empty: any but 0.",
    )

    @field_validator("jwt_secret", "jwks_url", "jwt_issuer", "jwt_audience", mode="before")
    @classmethod
    def empty_is_unset(cls, value: object) -> object:
        """A chart leaves a variable empty more easily than it leaves it out."""
        return value or None

    @field_validator("jwt_secret")
    @classmethod
    def long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "-----BEGIN" in value.get_secret_value():
            raise ValueError("is a PEM key, not a shared secret; for public keys set GATEWAY_JWKS_URL")
        if value is not None and len(value.get_secret_value().encode()) < SECRET_MIN_BYTES:
            raise ValueError(f"is shorter than {SECRET_MIN_BYTES} bytes; make one with `openssl rand -hex 32`")
        return value

    @field_validator("signed_in_acr", mode="before")
    @classmethod
    def split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def one_kind_of_key(self) -> Self:
        if (self.jwt_secret is None) == (self.jwks_url is None):
            raise ValueError(ONE_OF)
        missing = [
            name
            for name, value in (("GATEWAY_JWT_ISSUER", self.jwt_issuer), ("GATEWAY_JWT_AUDIENCE", self.jwt_audience))
            if value is None
        ]
        if self.jwks_url is not None and missing:
            # An identity provider signs tokens for many; only those for us are ours.
            raise ValueError(f"{' and '.join(missing)} must be set with GATEWAY_JWKS_URL")
        return self


class GatewaySettings(ListenSettings, TokenSettings):
    """Where Restate is, and how much the gateway takes on at once."""

    restate_ingress_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://127.0.0.1:8080"),
        validation_alias="RESTATE_INGRESS_URL",
        description="Restate's ingress; nobody but the gateway should reach it.",
    )
    requests_max: int = Field(
        1_000,
        validation_alias="GATEWAY_REQUESTS_MAX",
        ge=1,
        description="Requests of this process at the same time; more are answered 503.",
    )
    reply_timeout: timedelta = Field(
        timedelta(minutes=11),
        validation_alias="GATEWAY_REPLY_TIMEOUT",
        gt=timedelta(0),
        description="How long a request waits for its reply, in ISO 8601: above the deadline of a turn. Then 504; the "
        "message goes on.",
    )
    stop_grace: timedelta = Field(
        timedelta(seconds=20),
        validation_alias="GATEWAY_STOP_GRACE",
        ge=timedelta(0),
        description="How long requests go on after SIGTERM, in ISO 8601: less than Kubernetes waits until it kills.",
    )
