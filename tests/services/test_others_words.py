"""Each string of a tool's result says who wrote it, so that models see other people's words in marks."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.airline.agent import airline
from services.bank.agent import bank
from services.triage.agent import triage
from switchboard import Tool
from switchboard.words import OTHERS, US, strings

TOOLS = {tool.name: tool for agent in (triage, bank, airline) for tool in agent.tools}


def unclear(tool: Tool[Any, Any]) -> Iterator[str]:
    """Yield the strings of a tool's output that have neither a mark nor a pattern, which only codes have."""
    for path, marks in strings(tool.output):
        if not any(mark in (US, OTHERS) or getattr(mark, "pattern", None) for mark in marks):
            yield ".".join(path)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS.keys())
def test_every_string_of_a_result_says_who_wrote_it(tool: Tool[Any, Any]) -> None:
    assert list(unclear(tool)) == [], "Annotate the field with OurWords or OthersWords of switchboard.words"


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        ("list_transactions", "transactions.*.merchant"),
        ("list_transactions", "transactions.*.reference"),
        ("summarize_spending", "biggest_merchants.*.merchant"),
        ("list_reminders", "reminders.*.text"),
        ("list_disputes", "disputes.*.decision"),
        ("list_standing_orders", "orders.*.reference"),
        ("list_scheduled", "scheduled.*.recipient_name"),
        ("find_recipient", "recipient_name"),
        ("get_loan_application", "purpose"),
        ("get_reservation_details", "passengers.*.first_name"),
        ("get_user_details", "address.city"),
        ("get_user_details", "saved_passengers.*.last_name"),
    ],
)
def test_texts_of_customers_and_third_parties_are_marked(tool: str, path: str) -> None:
    assert path in TOOLS[tool].others_words


def test_ids_that_a_model_passes_on_are_not_marked() -> None:
    assert "recipient" not in TOOLS["find_recipient"].others_words
    assert "reservations.*" not in TOOLS["get_user_details"].others_words
