"""The conversation that an endpoint has to carry: hand-offs, and a payment with the customer's yes."""

from switchboard.testing.customer import Customer
from switchboard.testing.scripted_model import calls, says, scene
from tests.laboratory import Laboratory

AGENTS = ("triage", "bank", "airline")
PAYMENT = "pay 10 EUR to Bob Brandt"
BALANCE = "how much is my balance?"
TERMS = {"recipient": "bob", "recipient_name": "Bob Brandt", "amount": "10", "currency": "EUR"}
SCENES = (
    scene(PAYMENT, calls(("handoff_to_Bank", {"reason": "a payment"})), calls(("transfer_money", TERMS))),
    # The first step stands for the confirmed call, which the agent makes itself.
    scene("yes", says("never said"), says("It is sent.")),
    scene("thanks", says("You are welcome.")),
    scene(BALANCE, calls(("get_balance", {}), ("list_cards", {})), says("You have enough.")),
    scene("and my bag?", calls(("handoff_to_Airline", {"reason": "a bag"})), says("It can weigh 23 kg.")),
    scene("and my account?", calls(("handoff_to_Bank", {"reason": "an account"})), says("It is fine.")),
)
"""Read from top to bottom by the demo model, which follows them and nothing else while a test plays them."""

MESSAGES = (PAYMENT, "yes", "thanks", BALANCE, "and my bag?", "and my account?", BALANCE)
REPLIES = (
    "It is sent.",
    "You are welcome.",
    "You have enough.",
    "It can weigh 23 kg.",
    "It is fine.",
    "You have enough.",
)
"""The replies to the messages after the first one, which is answered with a question."""


async def converse(customer: Customer, *texts: str) -> list[str]:
    """Say these texts; no reply may be an apology."""
    replies = []
    for text in texts:
        answer = await customer.says(text)
        assert (answer.status, answer.body["failed"]) == (200, False), (text, answer.body)
        replies.append(answer.text)
    return replies


async def whole_conversation(customer: Customer) -> None:
    """Hold the whole conversation, and check every reply."""
    question, *replies = await converse(customer, *MESSAGES)
    assert question.startswith("Please confirm, with yes or no:")
    assert tuple(replies) == REPLIES


async def restart_agents(laboratory: Laboratory, **settings: str) -> None:
    """Start the agents again with these settings added to theirs."""
    for name in AGENTS:
        process = laboratory.mesh.services[name]
        process.environment = {**process.environment, **settings}
        await process.stop()
        await process.start()
