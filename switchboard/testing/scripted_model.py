"""The model in tests: the demo model, which follows a script and fails on demand."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from switchboard.testing.customer import JSON


@dataclass(frozen=True)
class ScriptedModel:
    """The demo model with a script. `url` is its base URL. Its README describes the format of scenes and faults."""

    url: str
    http: aiohttp.ClientSession

    async def plays(self, *scenes: JSON) -> None:
        """Answer only from these scenes from now on."""
        await self._control("PUT", "script", list(scenes))

    async def follows_rules(self) -> None:
        """Answer by rules again."""
        await self._control("DELETE", "script")

    async def fails(self, *faults: JSON) -> None:
        """Make the next requests fail, each with one of these faults."""
        await self._control("PUT", "faults", list(faults))

    async def recovers(self) -> None:
        """Remove all faults."""
        await self._control("DELETE", "faults")

    async def requests(self, session: str) -> list[JSON]:
        """Return a session's model requests with their answers, oldest first."""
        answer = await self._control("GET", f"requests?session={session}&full=1")
        requests: list[JSON] = answer["requests"]
        return requests

    async def _control(self, method: str, path: str, body: Any = None) -> JSON:
        async with self.http.request(method, f"{self.url}/demo/{path}", json=body) as response:
            answer: JSON = await response.json()
            if response.status != 200:
                raise ValueError(f"the demo model rejected {path}: {answer}")
            return answer


def calls(*calls: tuple[str, Any]) -> JSON:
    """A script step: the model calls these tools in parallel. Arguments are a dict, or raw text."""
    return {"calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


def says(text: str) -> JSON:
    """A script step: the model replies with this text."""
    return {"text": text}


def scene(user: str, *steps: JSON, agent: str | None = None) -> JSON:
    """Return the model's steps for a message with exactly this text, for one agent or for all."""
    return {"user": user, "steps": list(steps)} | ({"agent": agent} if agent else {})
