"""Rendering of tool results."""

import pytest

from switchboard.demo_model.rendering import render


@pytest.mark.parametrize(
    ("topic", "output", "expected"),
    [
        (
            "balance",
            '{"account":"Checking","balance":"2431.80","currency":"EUR"}',
            "Balance of Checking: 2431.80 EUR.",
        ),
        ("balance", '{"available":2431.80,"currency":"EUR"}', "Balance, available: 2431.80 EUR."),
        (
            "spending",
            '{"category":"gambling","period":"last_month","total":320.50,"currency":"EUR","transaction_count":4}',
            "Spending: category gambling, period last month, total 320.50 EUR, transaction count 4.",
        ),
        (
            "loans",
            '{"currency":"EUR","loans":[{"name":"Car loan","outstanding":"5200.00","rate":"4.5"}]}',
            "Loans:\n- Car loan: outstanding 5200.00 EUR, rate 4.5",
        ),
        (
            "transactions",
            '[{"date":"2024-05-03","description":"Casino","amount":-120.10,"currency":"EUR"}]',
            "Transactions:\n- 2024-05-03: Casino, -120.10 EUR",
        ),
        ("loans", '{"loans":[]}', "No loans found."),
        ("seat", '{"message":"You are in seat 10B.","seat":"10B"}', "You are in seat 10B."),
        ("faq", '{"answer":"One bag of 23 kg"}', "One bag of 23 kg."),
        ("balance", '{"error":{"message":"No such account"}}', "No such account."),
        ("balance", "Error: No account 17", "No account 17."),
        ("balance", "The customer has no account", "The customer has no account."),
        (
            "status",
            '{"departs_at":"2024-05-20T14:05:00Z","gate":"A1"}',
            "Status: departs at 2024-05-20 14:05 UTC, gate A1.",
        ),
        ("limit", "500", "Limit: 500."),
        ("card", '{"blocked":true,"since":null}', "Card, blocked: yes."),
        ("thing", "{}", "Thing: done."),
        ("thing", "null", "Thing: done."),
        ("thing", "", "Thing: done."),
        ("faq", '{"results":[{"question":"Bags?","answer":"One bag."}]}', "One bag."),
        ("lines", '["2024-05-03 Casino -120.10 EUR"]', "Lines:\n- 2024-05-03 Casino -120.10 EUR"),
        ("deep", '{"a":{"b":{"c":{"d":{"e":1}}}}}', "Deep: done."),
    ],
)
def test_result_is_rendered_as_text(topic: str, output: str, expected: str) -> None:
    assert render(topic, output) == expected


def test_long_list_is_truncated_with_a_count() -> None:
    text = render("numbers", str([{"n": 1}] * 100).replace("'", '"'))
    assert text.endswith("- … and 80 more")
