"""For tests of loans: customers who apply in a conversation, and staff who call the ingress."""

from typing import Any

from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory

APPLY = "I want a loan"
NEXT = "what is new?"
SMALL, LARGE = "1000", "6000"
"""Amounts below and above the limit of automatic approval."""

TO_BANK = calls(("handoff_to_Bank", {"reason": "a loan"}))
AFTER_YES = (says("never said"), says("handed in"))
"""After a yes, the confirmed calls take the first step. The model's reply to their results is the second."""


async def apply_for_loan(
    laboratory: Laboratory, customer_id: str, amount: str, months: int = 60, more: tuple[JSON, ...] = ()
) -> tuple[Customer, str]:
    """Apply for a loan and confirm. Returns the customer and the application's id."""
    request = {"amount": amount, "term_months": months, "purpose": "a kitchen"}
    await laboratory.model.plays(
        scene(APPLY, TO_BANK, calls(("apply_for_loan", request)), says("not possible")),
        scene("yes", *AFTER_YES),
        scene(NEXT, says("nothing else")),
        *more,
    )
    customer = laboratory.customer(customer_id)
    asked = await customer.says(APPLY)
    assert asked.body["confirmation"], asked
    handed_in = await customer.says("yes")
    assert handed_in.text == "handed in", handed_in
    result = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    assert result["ok"], result
    return customer, application_id(result["content"])


def application_id(text: str) -> str:
    return text[text.index("LA-") :][:15]


async def notices(customer: Customer) -> list[str]:
    """Return the notices about an application, without the confirmation question."""
    said = [message["text"] for message in await customer.messages() if message["kind"] == "notice"]
    return [text for text in said if text.startswith("Your loan application")]


async def outcome_notice(laboratory: Laboratory, customer: Customer) -> str:
    """Wait for the notice with the outcome."""

    async def one() -> bool:
        return bool(await notices(customer))

    await laboratory.until(one)
    (notice,) = await notices(customer)
    return notice


async def call_approvals(laboratory: Laboratory, handler: str, **body: Any) -> Answer:
    """Call the approvals service like staff do."""
    return await laboratory.staff(body.pop("by", "Mia")).calls("Approvals", handler, **body)


async def inbox_item(laboratory: Laboratory, approval_id: str) -> JSON | None:
    """Return an approval from the staff inbox; None if it is not there."""
    listed = await call_approvals(laboratory, "list")
    inbox = [] if listed.too_early else listed.body["waiting"]
    return next((item for item in inbox if item["approval_id"] == approval_id), None)


async def wait_for_inbox_item(laboratory: Laboratory, approval_id: str) -> JSON:
    """Wait until an approval is in the staff inbox, and return it."""

    async def there() -> bool:
        return await inbox_item(laboratory, approval_id) is not None

    await laboratory.until(there)
    item = await inbox_item(laboratory, approval_id)
    assert item is not None
    return item


async def call_bank_tool(laboratory: Laboratory, customer: Customer, tool: str, arguments: Any) -> JSON:
    """Return the result of a bank tool that the model calls in the customer's session."""
    at_the_bank = (await customer.asks("status")).body.get("active_agent") == "Bank"
    steps = (calls((tool, arguments)), says("seen"))
    await laboratory.model.plays(scene("look", *steps) if at_the_bank else scene("look", TO_BANK, *steps))
    await customer.says("look")
    found: JSON = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    return found
