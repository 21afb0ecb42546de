"""Contract of the tools for tests."""

from decimal import Decimal
from typing import Annotated, Any

from switchboard import FromIdentity, Line, Name, Resolved, Tool, ToolInput, quoted
from switchboard.messages import WireModel


class Wait(ToolInput):
    name: str
    milliseconds: int = 0


class Hold(ToolInput):
    name: str


class Meet(ToolInput):
    name: str
    parties: int


class Refuse(ToolInput):
    pass


class Big(ToolInput):
    characters: int


class WhoAmI(ToolInput):
    customer_id: Annotated[str, FromIdentity("customer_id")]
    session_id: Annotated[str, FromIdentity("session_id")]


class Ok(WireModel):
    said: str


class Asked(WireModel):
    customer_id: str
    session_id: str


class Pay(ToolInput):
    to: str
    amount: Decimal


def pay_question(payment: Pay) -> str:
    return f"Pay {payment.amount} EUR to {payment.to}?"


class Gift(ToolInput):
    to: Name
    amount: Decimal
    note: Line = ""
    milliseconds: int = 0


class GiftFacts(Resolved[Gift]):
    """What the check has found: `call` has the full name, and `street` is where the gift goes."""

    street: str


def gift_question(gift: Gift, facts: GiftFacts) -> str:
    return f"Give {gift.amount} EUR to {gift.to} in {facts.street}? Note: {quoted(gift.note)}"


class Notify(ToolInput):
    customer_id: Annotated[str, FromIdentity("customer_id")]
    to_session: str
    text: str


def probe_tool(handler: str, purpose: str, takes: Any, gives: Any = Ok, **more: Any) -> Tool[Any, Any]:
    return Tool("ProbeTools", handler, purpose, takes, gives, verified=False, **more)


PROBE_TOOLS = (
    probe_tool("wait", "Wait for a while.", Wait),
    probe_tool("hold", "Wait until the test goes on.", Hold),
    probe_tool("meet", "Wait for others.", Meet),
    probe_tool("fail_at_first", "Fail twice, then work.", Wait),
    probe_tool("fail_until_released", "Fail, after a while, until the test releases it.", Wait),
    probe_tool("refuse", "Refuse.", Refuse),
    probe_tool("big", "Return a long text.", Big, read_only=True),
    probe_tool("notify", "Notify a session.", Notify),
    probe_tool("pay", "Pay.", Pay, consent=pay_question, label="make the payment"),
    probe_tool("give", "Give.", Gift, consent=gift_question, check=GiftFacts, label="give the gift"),
    probe_tool("settle_in_two_steps", "A saga.", Wait, label="settle in two steps"),
    probe_tool("who_am_i", "Who is asking.", WhoAmI, Asked, read_only=True),
)
