"""Calls that cannot be done are refused before the customer is asked; what is asked shows the resolved facts."""

from typing import Any

from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.money import DONE, TO_BANK, YES, Teller, instant, payment, transfer_to

FRENCH_IBAN = "FR7630006000011234567890189"
NEXT_YEAR_S = 400 * 24 * 3600
SOON_S = 3600

Call = tuple[str, Any]


def standing(**more: Any) -> Call:
    return ("create_standing_order", {**payment("bob", "5.00"), "every": "month", "starts": instant(SOON_S), **more})


def scheduled(**more: Any) -> Call:
    return ("schedule_transfer", {**payment("bob", "5.00"), "on": instant(SOON_S), **more})


def limits(**more: Any) -> Call:
    return ("change_card_limits", {"card_id": "CD-7701", "currency": "EUR", **more})


def repay(**more: Any) -> Call:
    return ("repay_loan_early", {"loan_id": "LN-2041", "amount": "500", "fee": "5", "currency": "EUR", **more})


def loan(amount: str, months: int = 12) -> Call:
    return ("apply_for_loan", {"amount": amount, "term_months": months, "purpose": "a kitchen"})


def dispute(transaction_id: str, amount: str, currency: str = "EUR") -> Call:
    claim = {"transaction_id": transaction_id, "amount": amount, "currency": currency}
    return ("open_dispute", {**claim, "reason": "not_mine"})


IMPOSSIBLE: tuple[tuple[str, Call, str], ...] = (
    ("alice", transfer_to("bob", "1000000"), "can be at most 5,000.00 EUR"),
    ("alice", transfer_to("bob", "4999"), "There is not enough money in the Checking account."),
    ("alice", transfer_to("bob", "5", currency="JPY"), "Bob Brandt has no account in JPY at this bank."),
    (
        "alice",
        transfer_to(FRENCH_IBAN, "5", recipient_name="Zoé Petit", currency="JPY"),
        "Your Checking account is in EUR",
    ),
    ("alice", transfer_to("bob", "5", account="checking-usd"), "You have no Checking USD account."),
    ("alice", transfer_to("bob", "5", recipient_name="Bob Brand"), "No customer of this bank matches 'bob'"),
    ("alice", transfer_to("mallory", "5"), "No customer of this bank matches 'mallory'"),
    ("alice", transfer_to("alice", "5"), "cannot be both the source and the destination"),
    ("alice", transfer_to("DE89-3704-0044-0532-0130-01", "5"), "wrong length or wrong check digits"),
    ("alice", transfer_to(FRENCH_IBAN, "5", recipient_name="\u200d"), "recipient_name: String should have at least 1"),
    ("alice", transfer_to(FRENCH_IBAN, "5", recipient_name="?!"), "a name needs at least one letter or digit"),
    (
        "alice",
        (
            "move_between_own_accounts",
            own := {"source": "checking", "target": "savings", "amount": "9000", "currency": "EUR"},
        ),
        "There is not enough money",
    ),
    ("alice", ("move_between_own_accounts", {**own, "currency": "USD"}), "is in EUR, but the amount is in USD"),
    ("alice", ("move_between_own_accounts", {**own, "target": "DE52 5001 0517 0648 4844 17"}), "cannot be both"),
    ("alice", scheduled(on="2020-01-01"), "is in the past"),
    ("alice", scheduled(on=instant(NEXT_YEAR_S)), "That is too far ahead"),
    ("alice", scheduled(amount="5000.01"), "can be at most 5,000.00 EUR"),
    ("bob", standing(recipient="alice", recipient_name="Alice Adler", starts="2020-01-01"), "is in the past"),
    (
        "bob",
        standing(recipient="alice", recipient_name="Alice Adler", ends_on="2020-01-01"),
        "would end before its first",
    ),
    (
        "bob",
        standing(recipient="alice", recipient_name="Alice Adler", currency="USD"),
        "Alice Adler has no account in USD",
    ),
    ("bob", ("change_standing_order", {"order_id": "S9", "reference": "rent"}), "You have no standing order S9."),
    ("bob", ("cancel_standing_order", {"order_id": "S9"}), "You have no standing order S9."),
    ("bob", loan("100"), "A loan can be between 500.00 EUR and 100,000.00 EUR"),
    ("bob", loan("1000", 600), "The term of a loan is 6 to 120 months, not 600."),
    ("bob", ("unfreeze_card", {"card_id": "CD-4417"}), "You have no card CD-4417."),
    ("bob", ("replace_card", {"card_id": "CD-4417", "reason": "lost"}), "You have no card CD-4417."),
    ("bob", dispute("TX-0000000000", "5"), "You have no transaction TX-0000000000."),
    ("dave", limits(day_limit="10000.01"), "can be at most 10,000.00 EUR"),
    ("dave", limits(cash_limit="1500.01"), "can be at most 1,500.00 EUR"),
    ("dave", limits(day_limit="1", cash_limit="2"), "the cash limit cannot be higher"),
    ("dave", limits(day_limit="1", currency="USD"), "This card's account is in EUR, not in USD."),
    ("dave", repay(loan_id="LN-2266"), "is overdue. Please pay it"),
    ("alice", repay(fee="4.99"), "The fee is 5.00 EUR, not 4.99 EUR."),
    ("alice", repay(amount="99", fee="0.99"), "You can repay at least 100.00 EUR early"),
    ("alice", repay(amount="90000", fee="0"), "You cannot repay more than that."),
    ("alice", repay(currency="USD"), "This loan is in EUR, not in USD."),
    ("alice", repay(account="checking-usd"), "You have no Checking USD account."),
    ("alice", repay(amount="5000", fee="50"), "There is not enough money"),
)
"""Customer, call, and part of the reason."""


async def results_of(laboratory: Laboratory, customer_id: str, *step: Call) -> tuple[Customer, JSON, list[JSON]]:
    """Return the customer, the reply, and the results of calls that the model makes in one step."""
    await laboratory.model.plays(scene("go", TO_BANK, calls(*step), says(DONE)), *YES)
    customer = laboratory.customer(customer_id)
    reply = (await customer.says("go")).body
    results = [message for message in await customer.messages() if message["kind"] == "tool"]
    return customer, reply, results[1:]


async def test_impossible_calls_are_refused_before_the_customer_is_asked(laboratory: Laboratory) -> None:
    before = await Teller(laboratory).net_movements()
    for customer_id in ("alice", "bob", "dave"):
        rows = [(call, reason) for who, call, reason in IMPOSSIBLE if who == customer_id]
        for first in range(0, len(rows), 16):
            step = rows[first : first + 16]
            _, reply, results = await results_of(laboratory, customer_id, *(call for call, _ in step))
            assert (reply["text"], reply["confirmation"]) == (DONE, None)
            wrong = [
                (call, result["content"])
                for (call, reason), result in zip(step, results, strict=True)
                if result["ok"] or reason not in result["content"]
            ]
            assert wrong == []
    assert await Teller(laboratory).net_movements() == before


async def test_question_shows_resolved_accounts_ibans_names_and_dates(laboratory: Laboratory) -> None:
    alices_savings = "DE25 5001 0517 0648 4809 26"
    _, reply, _ = await results_of(
        laboratory,
        "alice",
        transfer_to(
            "fr76-3000-6000-0112-3456-7890-189", "1", recipient_name="Müller, Hans", account="DE52500105170648484417"
        ),
        transfer_to("bob", "1", recipient_name="Brandt, Bob"),
        transfer_to(alices_savings, "1", recipient_name="somebody else"),
    )
    assert [call["question"] for call in reply["confirmation"]["calls"]] == [
        "Send 1.00 EUR from your Checking account to an account at another bank, IBAN"
        " FR76 3000 6000 0112 3456 7890 189, payee “Müller, Hans”?",
        "Send 1.00 EUR from your Checking account to an account at this bank, customer bob, payee “Brandt, Bob”?",
        f"Send 1.00 EUR from your Checking account to your own account, IBAN {alices_savings}, payee “Alice Adler”?",
    ]


async def test_change_and_cancellation_of_a_standing_order_show_what_it_sends(laboratory: Laboratory) -> None:
    teller = Teller(laboratory)
    order = standing(recipient=FRENCH_IBAN, recipient_name="Zoé Petit", reference="rent", starts="2099-01-01")
    order[1]["starts"] = instant(30 * 24 * 3600)
    _, made = await teller.confirm("erin", (order[0], {**order[1], "currency": "GBP"}))
    order_id = made["order"]["order_id"]
    sends = "5.00 GBP from your Checking account every month, next on "
    payee = "to IBAN FR76 3000 6000 0112 3456 7890 189, payee “Zoé Petit”,"
    erin, asked = await teller.request_call("erin", ("cancel_standing_order", {"order_id": order_id}))
    assert f"Cancel your standing order {order_id}, which sends {sends}" in asked.text
    assert asked.text.endswith(f" UTC, {payee} reference “rent”?")
    _, changed = await teller.confirm("erin", ("change_standing_order", {"order_id": order_id, "reference": "flat"}))
    assert changed["order"]["reference"] == "flat"
    # The yes was for the order as it was.
    await erin.says("yes")
    assert "has changed since" in (await teller.last_result(erin))["refused"]
    assert (await teller.confirm("erin", ("cancel_standing_order", {"order_id": order_id})))[1]["order"]
