"""The gateway's settings, read from the environment at startup."""

from datetime import timedelta
from typing import Annotated, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AnyHttpUrl, Field, NonNegativeInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from switchboard.addresses import Urls
from switchboard.gateway.client_address import Network, parse_networks
from switchboard.runtime.settings import ServerSettings, SpeakerSettings, is_loopback, split
from switchboard.session.settings import PushSettings

SECRET_MIN_BYTES = 32
"""Minimum length of an HS256 key (RFC 7518, 3.2); a shorter one can be guessed."""

EVENTS_REPLAY_TURNS_MAX = 100

RSA_MIN_BITS = 2048
"""Minimum length of an RSA key (RFC 7518, 3.3)."""

SIGNING_KEY_INVALID = (
    "is not a private key that can sign the agent card; make one with `openssl ecparam -name prime256v1 -genkey -noout`"
)

ONE_OF = "set exactly one of GATEWAY_JWT_SECRET (HS256) and GATEWAY_JWKS_URL (RS256, ES256)"

LOCAL_ONLY = (
    "GATEWAY_LOCAL_SIGN_IN gives tokens to anyone who can connect, so it works only with a loopback HOST, with"
    " GATEWAY_JWT_SECRET and without GATEWAY_TRUSTED_PROXIES; unset it"
)


class ListenSettings(ServerSettings):
    """The gateway's ports: for customers, for Prometheus and probes, and for the mesh's processes."""

    port: int = Field(8000, validation_alias="PORT", ge=1, le=65535, description="Port for customers.")
    metrics_port: int = Field(
        9464,
        validation_alias="METRICS_PORT",
        ge=1,
        le=65535,
        description="Port of /metrics and probes, separate so that customers can neither reach nor block it.",
    )
    events_port: int = Field(
        9465,
        validation_alias="EVENTS_PORT",
        ge=1,
        le=65535,
        description="Port at which the mesh's processes tell live events. Only they may reach it, never customers.",
    )


class TokenSettings(BaseSettings):
    """How bearer tokens are verified, and which claims are read from them."""

    jwt_secret: SecretStr | None = Field(
        None, validation_alias="GATEWAY_JWT_SECRET", description="HS256 key, shared with the system that issues tokens."
    )
    jwks_url: AnyHttpUrl | None = Field(
        None,
        validation_alias="GATEWAY_JWKS_URL",
        description="URL of the identity provider's public keys, for RS256 or ES256.",
    )
    jwt_issuer: str | None = Field(
        None, validation_alias="GATEWAY_JWT_ISSUER", min_length=1, description="Required iss of tokens."
    )
    jwt_audience: str | None = Field(
        None, validation_alias="GATEWAY_JWT_AUDIENCE", min_length=1, description="Required aud of tokens."
    )
    customer_claim: str = Field(
        "sub",
        validation_alias="GATEWAY_CUSTOMER_CLAIM",
        min_length=1,
        description="The claim that holds the customer's id.",
    )
    signed_in_acr: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="GATEWAY_SIGNED_IN_ACR",
        description="Comma-separated acr values of signed-in users. If empty, 1 to 4 count, and a token without acr.",
    )
    staff_claim: str = Field(
        "roles",
        validation_alias="GATEWAY_STAFF_CLAIM",
        min_length=1,
        description="The claim that holds the roles of staff: a list, or text with spaces between the roles.",
    )
    staff_role: str = Field(
        "staff",
        validation_alias="GATEWAY_STAFF_ROLE",
        pattern=r"^[!-~]{1,128}$",
        description="The role with which the staff's API accepts a signed-in user.",
    )

    @field_validator("jwt_secret", "jwks_url", "jwt_issuer", "jwt_audience", mode="before")
    @classmethod
    def empty_is_unset(cls, value: object) -> object:
        """Treat an empty variable as unset: charts set variables to an empty string."""
        return value or None

    @field_validator("jwt_secret")
    @classmethod
    def long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "-----BEGIN" in value.get_secret_value():
            raise ValueError("is a PEM key, not a shared secret; set GATEWAY_JWKS_URL to use public keys")
        if value is not None and len(value.get_secret_value().encode()) < SECRET_MIN_BYTES:
            raise ValueError(f"is shorter than {SECRET_MIN_BYTES} bytes; generate one with `openssl rand -hex 32`")
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
            # An identity provider signs tokens for many applications; accept only those for this one.
            raise ValueError(f"{' and '.join(missing)} must be set with GATEWAY_JWKS_URL")
        return self


class ConsoleSettings(BaseSettings):
    """The pages for customers and staff: whether they are served, how they get tokens, and where their links lead."""

    console: bool = Field(
        False, validation_alias="GATEWAY_CONSOLE", description="Serve the console's pages at / and /staff."
    )
    console_token_path: str = Field(
        "",
        validation_alias="GATEWAY_CONSOLE_TOKEN_PATH",
        pattern=r"^(/[A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?$",
        description="A path on the console's own origin, such as /auth/token. Your site answers a POST there with a "
        "token of the signed-in user.",
    )
    jaeger_url: AnyHttpUrl | None = Field(
        None, validation_alias="GATEWAY_JAEGER_URL", description="Jaeger, as staff's browsers reach it, for links."
    )
    restate_ui_url: AnyHttpUrl | None = Field(
        None,
        validation_alias="GATEWAY_RESTATE_UI_URL",
        description="The Restate UI, as staff's browsers reach it, for links.",
    )
    local_sign_in: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="GATEWAY_LOCAL_SIGN_IN",
        description="Comma-separated customers. On a loopback HOST, the console gives anyone on this machine a token "
        "for any customer or staff member, and suggests these customers. Only for a local mesh.",
    )

    @field_validator("jaeger_url", "restate_ui_url", mode="before")
    @classmethod
    def no_link(cls, value: object) -> object:
        return value or None

    @field_validator("local_sign_in", mode="before")
    @classmethod
    def split_customers(cls, value: object) -> object:
        return split(value)


MCP_PATH = "/v1/mcp"

MCP_URL_RULE = f"must be the gateway's own address with the path {MCP_PATH}, such as https://mesh.example.com{MCP_PATH}"


class McpSettings(BaseSettings):
    """The mesh as an MCP server."""

    mcp_url: AnyHttpUrl | None = Field(
        None,
        validation_alias="GATEWAY_MCP_URL",
        description=f"Serve MCP at {MCP_PATH}. The value is the address that MCP clients use, such as "
        f"https://mesh.example.com{MCP_PATH}. Requests for another host, or from web pages of another origin, are "
        "refused. Needs the extra `mcp`.",
    )

    @field_validator("mcp_url", mode="before")
    @classmethod
    def no_mcp(cls, value: object) -> object:
        return value or None

    @field_validator("mcp_url")
    @classmethod
    def own_path(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if value is not None and (value.path != MCP_PATH or value.query or value.fragment or value.username):
            raise ValueError(MCP_URL_RULE)
        return value


class A2ASettings(PushSettings):
    """The A2A server: whether it is served, and what its agent card says."""

    a2a_url: AnyHttpUrl | None = Field(
        None,
        validation_alias="GATEWAY_A2A_URL",
        description="Serve the A2A protocol. The value is the gateway's address for other agents, such as "
        "https://agents.example.com; the agent card names it. Needs the extra `a2a`.",
    )
    a2a_name: str = Field(
        "Customer service",
        validation_alias="GATEWAY_A2A_NAME",
        min_length=1,
        description="Name of the mesh on its agent card.",
    )
    a2a_description: str = Field(
        "Answers a company's customers and acts for them.",
        validation_alias="GATEWAY_A2A_DESCRIPTION",
        min_length=1,
        description="Description of the mesh on its agent card.",
    )
    a2a_signing_key: SecretStr | None = Field(
        None,
        validation_alias="GATEWAY_A2A_SIGNING_KEY",
        description="Private key in PEM that signs the agent card: P-256 (ES256) or RSA (RS256). Without it, the card "
        "is not signed.",
    )

    @field_validator("a2a_url", "a2a_signing_key", mode="before")
    @classmethod
    def empty_is_off(cls, value: object) -> object:
        """Treat an empty variable as unset: charts set variables to an empty string."""
        return value or None

    @field_validator("a2a_signing_key")
    @classmethod
    def can_sign(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            load_signing_key(value)
        return value


def load_signing_key(pem: SecretStr) -> EllipticCurvePrivateKey | RSAPrivateKey:
    """Return the private key. Raises ValueError if it is none that can sign a card."""
    try:
        key = load_pem_private_key(pem.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(SIGNING_KEY_INVALID) from None
    if isinstance(key, RSAPrivateKey) and key.key_size >= RSA_MIN_BITS:
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError(SIGNING_KEY_INVALID)


class GatewaySettings(ListenSettings, TokenSettings, SpeakerSettings, ConsoleSettings, McpSettings, A2ASettings):
    """All settings of the gateway."""

    @model_validator(mode="after")
    def sign_in_only_on_this_machine(self) -> Self:
        if self.local_sign_in and (self.jwt_secret is None or not is_loopback(self.host) or self.trusted_proxies):
            raise ValueError(LOCAL_ONLY)
        return self

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def read_networks(cls, value: object) -> object:
        return parse_networks(value) if isinstance(value, str) else value

    restate_ingress_url: Urls = Field(
        "http://127.0.0.1:8080",
        validation_alias="RESTATE_INGRESS_URL",
        description="Restate's ingress. Only the gateway should be able to reach it. Several URLs, separated by "
        "commas, are tried in turn.",
    )
    requests_max: int = Field(
        1_000,
        validation_alias="GATEWAY_REQUESTS_MAX",
        ge=1,
        description="Maximum number of concurrent requests in this process; further requests get a 503.",
    )
    customer_requests_max: int = Field(
        20,
        validation_alias="GATEWAY_CUSTOMER_REQUESTS_MAX",
        ge=1,
        description="Maximum number of a customer's concurrent requests in this process; further requests get a 429.",
    )
    customer_requests_per_minute: NonNegativeInt = Field(
        600,
        validation_alias="GATEWAY_CUSTOMER_REQUESTS_PER_MINUTE",
        description="Maximum number of a customer's requests to this process in a minute, polls included; further "
        "requests get a 429. 0 is no limit.",
    )
    viewers_max: int = Field(
        1_000,
        validation_alias="GATEWAY_VIEWERS_MAX",
        ge=1,
        description="Maximum number of open event streams in this process, beside the concurrent requests; further "
        "ones get a 503.",
    )
    customer_viewers_max: int = Field(
        50,
        validation_alias="GATEWAY_CUSTOMER_VIEWERS_MAX",
        ge=1,
        description="Maximum number of open event streams of one customer, or of one staff member, in this process; "
        "further ones get a 429.",
    )
    session_viewers_max: int = Field(
        20,
        validation_alias="GATEWAY_SESSION_VIEWERS_MAX",
        ge=1,
        description="Maximum number of open event streams of one session in this process, for its customer and for "
        "each staff member; further ones get a 429.",
    )
    events_replay_turns_max: int = Field(
        EVENTS_REPLAY_TURNS_MAX,
        validation_alias="GATEWAY_EVENTS_REPLAY_TURNS_MAX",
        ge=1,
        description="How many turns ago the last event of a viewer may be who continues an event stream; otherwise the "
        "answer is a 410. The transcript has all turns.",
    )
    address_connections_max: int = Field(
        250,
        validation_alias="GATEWAY_ADDRESS_CONNECTIONS_MAX",
        ge=1,
        description="Maximum number of connections of one address to this process. Idle ones beyond it are closed when "
        "connections run short. Behind trusted proxies: the concurrent requests of one address.",
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        validation_alias="GATEWAY_TRUSTED_PROXIES",
        description="Addresses or CIDR blocks of proxies, comma-separated. Only their X-Forwarded-For is believed.",
    )
    reply_timeout: timedelta = Field(
        timedelta(minutes=11),
        validation_alias="GATEWAY_REPLY_TIMEOUT",
        gt=timedelta(0),
        description="How long a request waits for its reply, in ISO 8601; set it above the deadline of a turn. After "
        "that the client gets a 504, and the message keeps running.",
    )
    stop_grace: timedelta = Field(
        timedelta(seconds=20),
        validation_alias="GATEWAY_STOP_GRACE",
        ge=timedelta(0),
        description="How long running requests may continue after SIGTERM, in ISO 8601. Set it below Kubernetes' grace "
        "period.",
    )
