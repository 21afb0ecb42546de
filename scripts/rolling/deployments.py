"""Versions of a service in Restate's registry: registration as by the operator, and removal of drained versions."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from switchboard.local.restate_server import Admin, AdminError


class StillNeeded(Exception):
    """A version gets new invocations or has unfinished ones; the message says which."""


@dataclass(frozen=True)
class Deployments:
    """The deployments of one Restate server, through its admin API."""

    admin: Admin
    http: aiohttp.ClientSession

    async def register(self, url: str, again: bool = False) -> str:
        """Register a deployment and return its id. New invocations of its services go there. Raises AdminError.

        If Restate already knows the address, it changes nothing and routes nothing to it. `again` makes it read the
        deployment again and route to it. Use that only for the same code at the same address: otherwise invocations in
        flight would continue with other code that does not match their journals.
        """
        body = {"uri": url, "force": True} if again else {"uri": url}
        async with self.http.post(f"{self.admin.url}/deployments", json=body) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 400:
                # For example 409 META0006: a service has become a virtual object. The old version keeps serving.
                raise AdminError(
                    f"Restate rejected the deployment {url}: HTTP {response.status}: {answer.get('message')}"
                )
            return str(answer["id"])

    async def serving(self, service: str) -> str:
        """Return the deployment that gets a service's new invocations."""
        (row,) = await self.admin.query(f"SELECT deployment_id FROM sys_service WHERE name = '{service}'")
        return str(row["deployment_id"])

    async def unfinished(self, deployment: str) -> list[str]:
        """Return a deployment's unfinished invocations, including paused ones, as `Bank/take_turn (running)`."""
        rows = await self.admin.query(
            "SELECT target, status FROM sys_invocation "
            f"WHERE pinned_deployment_id = '{deployment}' AND status <> 'completed' ORDER BY created_at"
        )
        return [f"{row['target']} ({row['status']})" for row in rows]

    async def remove(self, deployment: str) -> None:
        """Remove a version from the registry. Raises StillNeeded, because Restate itself does not check.

        Restate removes a deployment only with `force`, and unfinished invocations of a removed one could never finish.
        """
        rows = await self.admin.query(f"SELECT name FROM sys_service WHERE deployment_id = '{deployment}'")
        if rows:
            raise StillNeeded(
                f"{deployment} still gets the new invocations of {', '.join(row['name'] for row in rows)}"
            )
        if unfinished := await self.unfinished(deployment):
            raise StillNeeded(f"{deployment} has {len(unfinished)} unfinished invocations: {', '.join(unfinished[:3])}")
        async with self.http.delete(f"{self.admin.url}/deployments/{deployment}?force=true") as response:
            if response.status >= 400:
                raise AdminError(
                    f"Restate did not remove {deployment}: HTTP {response.status}: {await response.text()}"
                )
