"""A pottery whose stock and orders are in PostgreSQL. Each order is placed exactly once, whatever crashes."""

from typing import Annotated, Literal

from pydantic import Field
from restate import ObjectContext, ObjectSharedContext

from switchboard import Agent, Refusal, Sessions, Toolset, WireModel, serve
from switchboard.toolkit.sql import Database, Transaction

Item = Literal["mug", "bowl", "plate"]


class Stock(WireModel):
    """How many pieces of an item are in stock."""

    item: Item
    pieces: int


class Order(WireModel):
    """An order that was placed."""

    number: int
    item: Item
    pieces: int


class NewOrder(WireModel):
    """What the statements of an order need. It identifies the write, together with the function's name."""

    customer_id: str
    item: Item
    pieces: int


database = Database("POTTERY_DATABASE_URL")
pottery = Toolset("Pottery", keyed_by="customer_id")

SOLD_OUT = Refusal("There are not enough pieces in stock. Look up how many there are, and offer these.")


async def stock_of(transaction: Transaction, asked: Stock) -> Stock:
    row = await transaction.row("SELECT pieces FROM stock WHERE item = %s", (asked.item,))
    return Stock(item=asked.item, pieces=row["pieces"] if row else 0)


async def insert_order(transaction: Transaction, order: NewOrder) -> Order:
    values = order.model_dump()
    await transaction.execute("UPDATE stock SET pieces = pieces - %(pieces)s WHERE item = %(item)s", values)
    row = await transaction.row(
        "INSERT INTO orders (customer_id, item, pieces) VALUES (%(customer_id)s, %(item)s, %(pieces)s)"
        " RETURNING number, item, pieces",
        values,
    )
    return Order.model_validate(row)


@pottery.tool(read_only=True, verified=False)
async def get_stock(ctx: ObjectSharedContext, item: Item) -> Stock:
    """Look up how many pieces of an item are in stock."""
    return await database.read(ctx, stock_of, Stock(item=item, pieces=0))


@pottery.tool(consent=lambda call: f"Order {call.pieces} of the item {call.item}?", label="place the order")
async def order_item(ctx: ObjectContext, item: Item, pieces: Annotated[int, Field(ge=1, le=20)]) -> Order:
    """Order pieces of an item."""
    order = NewOrder(customer_id=ctx.key(), item=item, pieces=pieces)
    return await database.write(ctx, insert_order, order, {"stock_not_sold_out": SOLD_OUT})


potter = Agent(
    name="Potter",
    handles="Questions about the pottery's stock, and orders.",
    instructions="You sell the goods of a pottery. Look up the stock; never guess it.",
    tools=(get_stock, order_item),
)

if __name__ == "__main__":
    serve(Sessions(first_agent=potter), potter, pottery, database)
