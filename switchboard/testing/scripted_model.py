"""The model in tests: the demo model, which answers by a script and fails on demand."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from switchboard.testing.customer import JSON


@dataclass(frozen=True)
class ScriptedModel:
    """The demo model, which can be scripted. `url` is its root; its README has the format of scenes and faults."""

    url: str
    http: aiohttp.ClientSession

    async def plays(self, *scenes: JSON) -> None:
        """Answer by these scenes from now on, and by nothing else."""
        await self._control("PUT", "script", list(scenes))

    async def follows_rules(self) -> None:
        """Answer by rules again."""
        await self._control("DELETE", "script")

    async def fails(self, *faults: JSON) -> None:
        """Make the next requests fail, each by one of these faults."""
        await self._control("PUT", "faults", list(faults))

    async def is_well(self) -> None:
        """Remove all faults."""
        await self._control("DELETE", "faults")

    async def requests(self, session: str) -> list[JSON]:
        """Return the model requests of a session, oldest first, with the answers."""
        answer = await self._control("GET", f"requests?session={session}&full=1")
        requests: list[JSON] = answer["requests"]
        return requests

    async def _control(self, method: str, path: str, body: Any = None) -> JSON:
        async with self.http.request(method, f"{self.url}/demo/{path}", json=body) as response:
            answer: JSON = await response.json()
            if response.status != 200:
                raise ValueError(f"the demo model refused {path}: {answer}")
            return answer


def calls(*calls: tuple[str, Any]) -> JSON:
    """A step of a script: the model calls these tools at once. Arguments are a dict, or raw text."""
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


def says(text: str) -> JSON:
    """A step of a script: the model answers."""
    return {"text": text}


def scene(user: str, *steps: JSON, agent: str | None = None) -> JSON:
    """The model's steps for a message of exactly this text; for one agent or for all."""
    return {"user": user, "steps": list(steps)} | ({"agent": agent} if agent else {})
