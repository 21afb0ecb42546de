"""For tests of loans: a customer who applies by talking, and staff at the ingress."""

from typing import Any

from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory

APPLY = "I want a loan"
NEXT = "what is new?"
SMALL, LARGE = "1000", "6000"
"""Below the automatic limit, and above it."""

TO_BANK = calls(("handoff_to_Bank", {"reason": "a loan"}))
AFTER_YES = (says("never said"), says("handed in"))
"""The confirmed calls are the first reply after a yes; what the model says to their results is the second."""


async def applies(
    laboratory: Laboratory, customer_id: str, amount: str, months: int = 60, more: tuple[JSON, ...] = ()
) -> tuple[Customer, str]:
    """A customer who has just said yes to an application, and the application's id."""
    request = {"amount": amount, "term_months": months, "purpose": "a kitchen"}
    await laboratory.model.plays(
        scene(APPLY, TO_BANK, calls(("apply_for_loan", request))),
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
    """What the customer was told of an application, unasked; a question to confirm is no such thing."""
    said = [message["text"] for message in await customer.messages() if message["kind"] == "notice"]
    return [text for text in said if text.startswith("Your loan application")]


async def told(laboratory: Laboratory, customer: Customer) -> str:
    """Wait for the outcome; the notice."""

    async def one() -> bool:
        return bool(await notices(customer))

    await laboratory.until(one)
    (notice,) = await notices(customer)
    return notice


async def staff(laboratory: Laboratory, handler: str, **body: Any) -> Answer:
    """Call the approvals as staff do."""
    url = f"{laboratory.mesh.addresses.ingress_url}/Approvals/{handler}"
    async with laboratory.http.post(url, json=body) as response:
        return Answer(response.status, await response.json())


async def waiting(laboratory: Laboratory, approval_id: str) -> JSON | None:
    """What staff see of an approval; None when it is not in the inbox."""
    inbox = (await staff(laboratory, "list")).body["waiting"]
    return next((item for item in inbox if item["approval_id"] == approval_id), None)


async def waits(laboratory: Laboratory, approval_id: str) -> JSON:
    """Wait until it is in the inbox; what staff see."""

    async def there() -> bool:
        return await waiting(laboratory, approval_id) is not None

    await laboratory.until(there)
    item = await waiting(laboratory, approval_id)
    assert item is not None
    return item


async def says_by_tool(laboratory: Laboratory, customer: Customer, tool: str, arguments: Any) -> JSON:
    """The result of one of the bank's tools, called in the customer's session."""
    at_the_bank = (await customer.asks("status")).body.get("active_agent") == "Bank"
    steps = (calls((tool, arguments)), says("seen"))
    await laboratory.model.plays(scene("look", *steps) if at_the_bank else scene("look", TO_BANK, *steps))
    await customer.says("look")
    found: JSON = [message for message in await customer.messages() if message["kind"] == "tool"][-1]
    return found
