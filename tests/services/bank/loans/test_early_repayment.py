"""The cost of an early repayment and its effect on the repayment plan, to the cent."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.tools.bank.loans import early_repayments, policy, repayment_terms
from services.tools.bank.loans.book import LoanState, loan_state
from services.tools.bank.loans.contract import (
    EarlyTerms,
    ReduceLoan,
    RepayEarly,
    RepayEarlyFacts,
    repayment_question,
)
from services.tools.bank.loans.early_repayments import EarlyRepayment, EarlyRepayments
from services.tools.bank.months import add_months
from services.tools.bank.records import InstalmentLoan
from switchboard.toolkit.refusal import Refusal

TODAY = date(2026, 11, 23)


def loan(payments_made: int = 10) -> InstalmentLoan:
    """10,000 at 6 % over 24 months: 443.21 a month."""
    return InstalmentLoan(
        loan_id="LN-0001",
        product="Car loan",
        principal=Decimal("10000.00"),
        annual_rate_percent=Decimal("6.00"),
        term_months=24,
        first_payment_on=add_months(date(2026, 11, 1), 1 - payments_made),
        debited_as="Bank car loan",
    )


def made(amount: str, after: int, repayment_id: str = "r1") -> EarlyRepayment:
    return EarlyRepayment(
        repayment_id=repayment_id,
        loan_id="LN-0001",
        amount=Decimal(amount),
        fee=Decimal("0"),
        after_payments=after,
        on=TODAY,
    )


def at(*entries: EarlyRepayment, payments_made: int = 10) -> LoanState:
    return loan_state(loan(payments_made), TODAY, entries)


def terms(of: LoanState, amount: str | None) -> EarlyTerms:
    result = repayment_terms.terms(of, Decimal(amount) if amount else None, "EUR")
    assert isinstance(result, EarlyTerms)
    return result


@pytest.mark.parametrize("payments_made", [0, 1, 10, 23])
@pytest.mark.parametrize("amount", ["100.00", "137.77", "440.00"])
def test_schedule_after_a_repayment_pays_exactly_the_balance(payments_made: int, amount: str) -> None:
    before = at(payments_made=payments_made)
    after = at(made(amount, payments_made), payments_made=payments_made)
    assert after.outstanding == before.outstanding - Decimal(amount)
    rest = after.instalments[after.paid :]
    assert sum(row.principal for row in rest) == after.outstanding
    assert all(row.payment == row.interest + row.principal for row in rest)
    assert [row.payment for row in rest[:-1]] == [Decimal("443.21")] * (len(rest) - 1)
    assert not rest or (rest[-1].balance == 0 and 0 < rest[-1].payment <= Decimal("443.21"))
    assert after.remaining <= before.remaining
    assert after.interest_to_come <= before.interest_to_come


def test_several_repayments_add_up() -> None:
    after = at(made("1000.00", 5, "r1"), made("2000.00", 10, "r2"))
    assert after.outstanding == at().outstanding - 2000 - (at().outstanding - at(made("1000.00", 5)).outstanding)
    assert sum(row.principal for row in after.instalments[10:]) == after.outstanding


def test_fully_repaid_loan_is_paid_off_and_ends_with_its_last_payment() -> None:
    owed = str(at().outstanding)
    after = at(made(owed, 10))
    assert after.status == "paid_off"
    assert (after.remaining, after.outstanding, after.next_payment_on) == (0, Decimal(0), None)
    debits = repayment_terms.debits(after, granted=False)
    assert debits is not None
    assert (debits.last_on, str(debits.last_amount), debits.first_on) == (date(2026, 11, 1), "443.21", None)
    assert repayment_terms.reduced_loan(after).ends_on is None
    assert isinstance(repayment_terms.terms(after, Decimal("100"), "EUR"), Refusal)
    never_paid = at(made("10000.00", 0), payments_made=0)
    assert never_paid.status == "paid_off"
    assert never_paid.outstanding == 0


def test_quote_states_cost_and_savings() -> None:
    quote = terms(at(), "2000.00").quote
    assert quote.summary == (
        "Repaying 2,000.00 EUR of your Car loan LN-0001 early costs 2,020.00 EUR, including a fee of 20.00 EUR."
        " After that, 10 of 14 payments are left. You save 124.22 EUR in interest."
    )
    assert (quote.total, quote.outstanding_after) == (Decimal("2020.00"), at().outstanding - 2000)
    assert terms(at(), None).quote.outstanding_after == 0


@pytest.mark.parametrize(
    ("amount", "remaining", "saved", "fee"),
    [
        ("2000.00", 13, "500.00", "20.00"),
        ("2000.00", 12, "500.00", "10.00"),
        ("2000.00", 13, "7.31", "7.31"),  # never more than the interest saved
        ("100.50", 13, "500.00", "1.00"),  # 1.005, half-even
        ("101.50", 13, "500.00", "1.02"),  # 1.015, half-even
        ("2000.00", 1, "0.00", "0.00"),
    ],
)
def test_fee_is_a_percentage_of_the_amount(amount: str, remaining: int, saved: str, fee: str) -> None:
    assert str(policy.fee(Decimal(amount), remaining, Decimal(saved))) == fee


@pytest.mark.parametrize(
    ("amount", "overdue", "rule"),
    [("100.00", "0", ""), ("99.99", "0", "L8"), ("50.00", "0", ""), ("100.00", "0.01", "L7")],
)
def test_early_repayment_rules(amount: str, overdue: str, rule: str) -> None:
    outstanding = Decimal("50.00") if amount == "50.00" else Decimal("5000.00")
    refused = policy.refuse_early(Decimal(amount), outstanding, Decimal(overdue), "EUR")
    assert (refused.rule if refused else "") == rule


def asked(**more: Any) -> RepayEarly:
    usual = {"customer_id": "alice", "loan_id": "LN-0001", "amount": "2000", "fee": "20", "currency": "EUR"}
    return RepayEarly.model_validate(usual | more)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({}, None),
        ({"fee": "19.99"}, "The fee is 20.00 EUR, not 19.99 EUR."),
        ({"currency": "USD"}, "This loan is in EUR"),
    ],
)
def test_terms_that_differ_from_the_confirmed_ones_are_refused(more: dict[str, str], refusal: str | None) -> None:
    refused = policy.refuse_other_terms(asked(**more), Decimal("20.00"), "EUR")
    assert refused is None if refusal is None else refused and refused.why.startswith(refusal)


def test_consent_question_states_amount_fee_and_total() -> None:
    facts = RepayEarlyFacts(call=asked(), product="Car loan")
    assert repayment_question(asked(), facts) == (
        "Repay 2,000.00 EUR of your loan LN-0001 (Car loan) early, with a fee of 20.00 EUR, and pay 2,020.00 EUR in"
        " total from your Checking account?"
    )


def test_undone_repayment_is_removed_and_its_id_is_blocked() -> None:
    request = ReduceLoan(repayment_id="r", loan_id="LN-0001", amount=Decimal(100), fee=Decimal(1), after_payments=3)
    booked = early_repayments.book(EarlyRepayments(), request, TODAY)
    assert booked.find("r") is not None
    undone = early_repayments.undo(booked, "r")
    assert (undone.made, undone.undone) == ((), ("r",))
    assert early_repayments.undo(EarlyRepayments(), "never").undone == ("never",)
