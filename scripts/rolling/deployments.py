"""Versions of a service in Restate's registry: registered as the operator does it, removed when nobody needs them."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from switchboard.local.restate_server import Admin, AdminError


class StillNeeded(Exception):
    """A version serves new invocations, or has some that have not ended; the message says which."""


@dataclass(frozen=True)
class Deployments:
    """The deployments of one Restate, by its admin API."""

    admin: Admin
    http: aiohttp.ClientSession

    async def register(self, url: str, again: bool = False) -> str:
        """The deployment's id; from now on its services' new invocations go there. Raises AdminError.

        Restate takes an address that it knows for what it knows, and routes nothing to it anew; `again` makes it look
        and route once more. That is for the same code at the same address only: invocations under way would otherwise
        go on with other code, and their journals would not fit.
        """
        body = {"uri": url, "force": True} if again else {"uri": url}
        async with self.http.post(f"{self.admin.url}/deployments", json=body) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 400:
                # 409 META0006: a service has become a virtual object, or the like. The old version goes on.
                raise AdminError(f"{url} was not taken: HTTP {response.status}: {answer.get('message')}")
            return str(answer["id"])

    async def serving(self, service: str) -> str:
        """The deployment that takes a service's new invocations."""
        (row,) = await self.admin.query(f"SELECT deployment_id FROM sys_service WHERE name = '{service}'")
        return str(row["deployment_id"])

    async def unfinished(self, deployment: str) -> list[str]:
        """What is under way at a deployment, paused invocations as well, as `Bank/take_turn (running)`."""
        rows = await self.admin.query(
            "SELECT target, status FROM sys_invocation "
            f"WHERE pinned_deployment_id = '{deployment}' AND status <> 'completed' ORDER BY created_at"
        )
        return [f"{row['target']} ({row['status']})" for row in rows]

    async def remove(self, deployment: str) -> None:
        """Take a version out of the registry. Raises StillNeeded: Restate itself would not ask.

        Without `force` it removes nothing at all; with it, what is still under way there could never end.
        """
        rows = await self.admin.query(f"SELECT name FROM sys_service WHERE deployment_id = '{deployment}'")
        if rows:
            raise StillNeeded(
                f"{deployment} still takes the new invocations of {', '.join(row['name'] for row in rows)}"
            )
        if unfinished := await self.unfinished(deployment):
            raise StillNeeded(f"{deployment} has {len(unfinished)} unfinished: {', '.join(unfinished[:3])}")
        async with self.http.delete(f"{self.admin.url}/deployments/{deployment}?force=true") as response:
            if response.status >= 400:
                raise AdminError(f"{deployment} was not removed: HTTP {response.status}: {await response.text()}")
