"""Create a token with the shared secret, for development and for testing an installation.

`python -m switchboard.gateway.token --customer alice --minutes 5`, or `--staff mia` instead of `--customer`, reads
GATEWAY_JWT_SECRET and the settings of the claims.
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta

import jwt

from switchboard.gateway.identity import NOT_AUTHENTICATED_ACR, STAFF_SUBJECT, secret_key
from switchboard.gateway.settings import TokenSettings
from switchboard.runtime.settings import load

MINUTES_MAX = 24 * 60

NO_SECRET = (
    "Cannot create a token without GATEWAY_JWT_SECRET. With GATEWAY_JWKS_URL, get tokens from the identity provider.\n"
)


def mint(
    settings: TokenSettings, customer_id: str, expires_after: timedelta, at: datetime, signed_in: bool = True
) -> str:
    """Create a customer's token for a gateway with these settings. Raises ValueError without a shared secret."""
    return _signed(settings, {settings.customer_claim: customer_id}, expires_after, at, signed_in)


def mint_staff(settings: TokenSettings, subject: str, expires_after: timedelta, at: datetime) -> str:
    """Create a staff member's token for a gateway with these settings. Raises ValueError without a shared secret."""
    claims: dict[str, object] = {STAFF_SUBJECT: subject, settings.staff_claim: [settings.staff_role]}
    return _signed(settings, claims, expires_after, at, signed_in=True)


def _signed(
    settings: TokenSettings, user: dict[str, object], expires_after: timedelta, at: datetime, signed_in: bool
) -> str:
    if settings.jwt_secret is None:
        raise ValueError(NO_SECRET)
    claims: dict[str, object] = {**user, "iat": at, "exp": at + expires_after}
    if settings.jwt_issuer:
        claims["iss"] = settings.jwt_issuer
    if settings.jwt_audience:
        claims["aud"] = settings.jwt_audience
    if not signed_in:
        claims["acr"] = NOT_AUTHENTICATED_ACR
    elif settings.signed_in_acr:
        claims["acr"] = settings.signed_in_acr[0]
    return jwt.encode(claims, secret_key(settings.jwt_secret.get_secret_value()), algorithm="HS256")


def minutes(value: str) -> timedelta:
    number = int(value)
    if not 1 <= number <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"must be between 1 and {MINUTES_MAX}")
    return timedelta(minutes=number)


def main() -> int:
    """Print a token and return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m switchboard.gateway.token", description="Print a token for a customer or a staff member."
    )
    parser.add_argument("--customer", default="alice", help="the customer's id; default: %(default)s")
    parser.add_argument("--staff", help="make a token for this staff member, not for a customer")
    parser.add_argument(
        "--minutes", type=minutes, default=timedelta(hours=1), help="lifetime of the token in minutes; default: 60"
    )
    parser.add_argument("--not-signed-in", action="store_true", help="mark the customer as not authenticated")
    arguments = parser.parse_args()
    settings = load(TokenSettings)
    try:
        if arguments.staff:
            token = mint_staff(settings, arguments.staff, arguments.minutes, datetime.now(UTC))
        else:
            signed_in = not arguments.not_signed_in
            token = mint(settings, arguments.customer, arguments.minutes, datetime.now(UTC), signed_in)
    except ValueError as error:
        sys.stderr.write(str(error))
        return 1
    sys.stdout.write(f"{token}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
