"""Sign-in of a local mesh: the console gets tokens from the gateway, for demo customers and for staff.

The settings allow it only on a loopback address. Any program on this machine may sign in, as it may use Restate's
local ports. A web page from elsewhere may not: browsers say where a request comes from, and cannot be told to lie.
"""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, Field

from switchboard.gateway.api import AuthenticatedRoute
from switchboard.gateway.console import ASSETS
from switchboard.gateway.contract import Request as Body
from switchboard.gateway.problems import Problem
from switchboard.gateway.settings import GatewaySettings
from switchboard.gateway.token import mint, mint_staff
from switchboard.runtime.settings import is_loopback
from switchboard.session.contract import SUBJECT

LIFETIME = timedelta(minutes=15)
"""The page gets another token before this one expires."""

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")
"""Headers of proxies and tunnels, which could let other machines in."""

NOT_THIS_PAGE = (
    "Only the console of this local mesh can sign in here. Open it at the address that `switchboard up` prints."
)


class Person(Body):
    """The person to sign in as: a customer, or a staff member."""

    role: str = Field(pattern="^(customer|staff)$")
    name: str = Field(pattern=SUBJECT)


class Token(BaseModel):
    """A token for the Authorization header."""

    token: str


class LocalRoute(AuthenticatedRoute):
    """Accepts only requests that the console's own page sends from this machine."""

    async def authenticate(self, request: Request) -> object:
        """Return the client's address. Raises Problem 403."""
        require_own_page(request)
        return "local sign-in"


def add_local_sign_in(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the endpoint that issues tokens with the local secret."""
    local = APIRouter(include_in_schema=False, route_class=LocalRoute)

    @local.post(f"{ASSETS}/token")
    async def sign_in(person: Person) -> Token:
        """Issue a token that expires soon."""
        issue = mint_staff if person.role == "staff" else mint
        return Token(token=issue(settings, person.name, LIFETIME, datetime.now(UTC)))

    app.include_router(local)


def require_own_page(request: Request) -> None:
    """Raises Problem 403 unless the request comes from a page of this gateway, in a browser on this machine.

    The host has to be a loopback name, so that a domain that is pointed at 127.0.0.1 does not count as this gateway.
    """
    headers = request.headers
    host = headers.get("host", "")
    name = host.removesuffix(f":{host.rpartition(':')[2]}").strip("[]") if ":" in host else host
    client = request.client.host if request.client else ""
    ours = (
        is_loopback(client)
        and is_loopback(name)
        and headers.get("origin") == f"http://{host}"
        and headers.get("sec-fetch-site", "same-origin") == "same-origin"
        and not any(name in headers for name in FORWARDED)
    )
    if not ours:
        raise Problem(403, "not_local", NOT_THIS_PAGE)
