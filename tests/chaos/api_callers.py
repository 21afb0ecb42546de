"""Tools that call an HTTP API, with a key and without one: `python -m tests.chaos.api_callers`.

Tests call them through the ingress.
"""

from decimal import Decimal

import restate

from switchboard import WireModel, serve
from switchboard.toolkit.http_api import HttpApi


class Asked(WireModel):
    order_id: str
    keyed: bool


class Ordered(WireModel):
    order_id: str
    total: Decimal


api = HttpApi("ORDERS_URL", token_variable="ORDERS_TOKEN")
callers = restate.Service("ApiCallers", description="For tests: calls of an HTTP API.")


@callers.handler()
async def order(ctx: restate.Context, asked: Asked) -> Ordered:
    values = {"order_id": asked.order_id}
    return await api.write(ctx, "POST", "/orders/{order_id}", Ordered, values, keyed=asked.keyed)


if __name__ == "__main__":
    serve(callers, api)
