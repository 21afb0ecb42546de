"""The staff's case inbox on a real mesh: open cases are limited for each session and customer."""

import asyncio

from switchboard.builtin.cases.contract import OPEN_OF_CUSTOMER_MAX, OPEN_OF_SESSION_MAX
from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import DONE, TO_AIRLINE, content_of, last_result

CALL = ("transfer_to_human_agents", {"summary": "Wants a person"})


async def request_staff(laboratory: Laboratory, customer: Customer, first: bool = True) -> JSON:
    """Request a transfer to staff, and return the tool's result."""
    steps = (calls(CALL), says(DONE))
    await laboratory.model.plays(scene("help", TO_AIRLINE, *steps), scene("again", *steps))
    await customer.says("help" if first else "again")
    return await last_result(customer)


async def call_cases(laboratory: Laboratory, handler: str, **request: object) -> JSON:
    answer = await laboratory.staff().calls("Cases", handler, **request)
    assert answer.status == 200, answer.text
    return answer.body


async def cases_of_dave(laboratory: Laboratory) -> list[JSON]:
    return [
        case for case in (await call_cases(laboratory, "list", limit=100))["cases"] if case["customer_id"] == "dave"
    ]


async def close_all_cases(laboratory: Laboratory) -> None:
    for case in await cases_of_dave(laboratory):
        await call_cases(laboratory, "close", case_id=case["case_id"], outcome="A test")
    assert await cases_of_dave(laboratory) == []


async def test_session_is_limited_to_a_number_of_open_cases(laboratory: Laboratory) -> None:
    await close_all_cases(laboratory)
    dave = laboratory.customer("dave")
    results = [await request_staff(laboratory, dave, first=number == 0) for number in range(OPEN_OF_SESSION_MAX + 1)]
    assert [result["ok"] for result in results] == [True] * OPEN_OF_SESSION_MAX + [False]
    ids = [case["case_id"] for case in await cases_of_dave(laboratory)]
    assert len(ids) == OPEN_OF_SESSION_MAX
    said = f"Our staff are already working on this customer's cases: {', '.join(ids)}."
    assert results[-1]["content"].startswith(said)
    await call_cases(laboratory, "close", case_id=ids[0], outcome="A test")
    assert content_of(await request_staff(laboratory, dave, first=False)) == "Transfer successful"
    await close_all_cases(laboratory)


async def test_unverified_sessions_cannot_use_up_the_customers_cases(laboratory: Laboratory) -> None:
    """Each guest has a conversation of their own, all at once. The signed-in customer can still open a case."""
    await close_all_cases(laboratory)
    guests = [laboratory.customer("dave", signed_in=False) for _ in range(OPEN_OF_CUSTOMER_MAX + 2)]
    results = await asyncio.gather(*(request_staff(laboratory, guest) for guest in guests))
    refused = [result["content"] for result in results if not result["ok"]]
    assert len(refused) == 2
    assert all("case-" not in why and "customer's cases. Tell the customer so" in why for why in refused)
    assert content_of(await request_staff(laboratory, laboratory.customer("dave"))) == "Transfer successful"
    assert len(await cases_of_dave(laboratory)) == OPEN_OF_CUSTOMER_MAX + 1
    await close_all_cases(laboratory)
    assert content_of(await request_staff(laboratory, guests[0], first=False)) == "Transfer successful"
    await close_all_cases(laboratory)
