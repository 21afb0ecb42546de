"""Staff who call the gateway with a token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from yarl import URL

from switchboard.gateway.settings import TokenSettings
from switchboard.gateway.token import mint_staff
from switchboard.local.gateway import token_environment
from tests.gateway.front import SECRET, Answer, Gateway


def staff_token(by: str = "mia") -> str:
    """Return a valid token of a staff member."""
    settings = TokenSettings.model_validate(token_environment(SECRET))
    return mint_staff(settings, by, timedelta(minutes=5), datetime.now(UTC))


@dataclass
class Desk:
    """A staff member at the gateway. `token` is a staff member's unless it is given."""

    gateway: Gateway
    by: str = "mia"
    token: str = ""

    async def gets(self, path: str) -> Answer:
        return await self.calls("GET", path)

    async def posts(self, path: str, key: str | None = None, **body: Any) -> Answer:
        return await self.calls("POST", path, {"idempotency-key": key} if key else {}, json=body)

    async def calls(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
        """Send a request as it is; the path is already quoted."""
        sent = {"authorization": f"Bearer {self.token or staff_token(self.by)}", **(headers or {})}
        url = URL(f"{self.gateway.ports.url}/v1/staff/{path}", encoded=True)
        async with self.gateway.laboratory.http.request(method, url, headers=sent, **more) as response:
            return Answer(response.status, await response.json(content_type=None), response.headers)
