"""A carrier's HTTP API, for this example: `python parcel_api.py`. It honours idempotency keys."""

import os
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

PARCELS: dict[str, dict[str, Any]] = {
    "P-1001": {"number": "P-1001", "place": "Hamburg", "status": "on its way"},
    "P-1002": {"number": "P-1002", "place": "Berlin", "status": "delivered"},
}
ANSWERS: dict[str, dict[str, Any]] = {}
"""Answers by idempotency key. A real API keeps them in its database."""


def found(request: web.Request) -> dict[str, Any]:
    if request.headers.get("authorization") != f"Bearer {os.environ['PARCELS_TOKEN']}":
        raise web.HTTPUnauthorized
    parcel = PARCELS.get(request.match_info["number"])
    if parcel is None:
        raise web.HTTPNotFound(text='{"detail": "There is no such parcel."}', content_type="application/problem+json")
    return parcel


async def get_parcel(request: web.Request) -> web.Response:
    return web.json_response(found(request))


async def redirect(request: web.Request) -> web.Response:
    """Send a parcel elsewhere, once a key."""
    parcel, key = found(request), request.headers["idempotency-key"]
    if key not in ANSWERS:
        parcel["place"] = (await request.json())["place"]
        ANSWERS[key] = dict(parcel)
    return web.json_response(ANSWERS[key])


app = web.Application()
app.add_routes([web.get("/v1/parcels/{number}", get_parcel), web.post("/v1/parcels/{number}/redirect", redirect)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=urlsplit(os.environ["PARCELS_URL"]).port, print=None)
