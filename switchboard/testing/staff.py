"""A staff member who calls a mesh's staff services, as the gateway does after it has verified a token."""

import json
from dataclasses import dataclass

import aiohttp

from switchboard.ingress import encode, exchange
from switchboard.local.mesh import Mesh
from switchboard.session.staff_contract import STAFF_DOOR
from switchboard.speaker import target_of
from switchboard.testing.customer import JSON, Answer


@dataclass
class Staff:
    """A staff member at a local mesh. `by` is the subject of their token."""

    mesh: Mesh
    http: aiohttp.ClientSession
    by: str = "Mia"

    async def calls(self, service: str, handler: str, /, **request: object) -> Answer:
        """Call a handler of a staff service, such as `Cases` and `close`. `request` is its input without `by`."""
        call = {"by": self.by, "service": service, "handler": handler, "request": request}
        answer = await self.asks("act", **call)
        return Answer(answer.status, answer.body["answer"]) if answer.status == 200 else answer

    async def asks(self, handler: str, /, **request: object) -> Answer:
        """Call a handler of the staff door itself: `transcript`, `status`, `services`."""
        path, body = f"/{STAFF_DOOR}/{handler}", encode({"by": self.by, **request})
        headers = {"content-type": "application/json", **self.mesh.speaker.sign(target_of(path), body)}
        response = await exchange(self.http, "POST", self.mesh.addresses.ingress_url + path, body, headers)
        content: JSON = json.loads(response.content)
        return Answer(response.status, content)
