"""What an early repayment costs and what it makes of a plan, to the cent."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.tools.bank.loans import early, policy, repayment_terms
from services.tools.bank.loans.book import Standing, standing
from services.tools.bank.loans.contract import EarlyTerms, Reduce, RepayEarly, repayment_question
from services.tools.bank.loans.early import EarlyRepayment, Repayments
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


def at(*entries: EarlyRepayment, payments_made: int = 10) -> Standing:
    return standing(loan(payments_made), TODAY, entries)


def terms(of: Standing, amount: str | None) -> EarlyTerms:
    judged = repayment_terms.terms(of, Decimal(amount) if amount else None, "EUR")
    assert isinstance(judged, EarlyTerms)
    return judged


@pytest.mark.parametrize("payments_made", [0, 1, 10, 23])
@pytest.mark.parametrize("amount", ["100.00", "137.77", "440.00"])
def test_the_course_after_a_repayment_pays_exactly_what_is_owed(payments_made: int, amount: str) -> None:
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


def test_several_repayments_build_on_each_other() -> None:
    after = at(made("1000.00", 5, "r1"), made("2000.00", 10, "r2"))
    assert after.outstanding == at().outstanding - 2000 - (at().outstanding - at(made("1000.00", 5)).outstanding)
    assert sum(row.principal for row in after.instalments[10:]) == after.outstanding


def test_a_loan_that_is_repaid_whole_is_paid_off_and_ends_on_its_last_payment() -> None:
    owed = str(at().outstanding)
    after = at(made(owed, 10))
    assert after.status == "paid_off"
    assert (after.remaining, after.outstanding, after.next_payment_on) == (0, Decimal(0), None)
    debits = repayment_terms.debits(after, granted=False)
    assert debits is not None
    assert (debits.last_on, str(debits.last_amount), debits.first_on) == (date(2026, 11, 1), "443.21", None)
    assert repayment_terms.reduced_to(after).ends_on is None
    assert isinstance(repayment_terms.terms(after, Decimal("100"), "EUR"), Refusal)
    never_paid = at(made("10000.00", 0), payments_made=0)
    assert never_paid.status == "paid_off"
    assert never_paid.outstanding == 0


def test_a_quote_says_what_it_costs_and_what_it_saves() -> None:
    quote = terms(at(), "2000.00").quote
    assert quote.summary == (
        "To repay 2,000.00 EUR of your Car loan LN-0001 early costs 2,020.00 EUR, 20.00 EUR of it a fee;"
        " 10 of 14 payments are left then, and you save 124.22 EUR of interest."
    )
    assert (quote.total, quote.outstanding_after) == (Decimal("2020.00"), at().outstanding - 2000)
    assert terms(at(), None).quote.outstanding_after == 0


@pytest.mark.parametrize(
    ("amount", "remaining", "saved", "fee"),
    [
        ("2000.00", 13, "500.00", "20.00"),
        ("2000.00", 12, "500.00", "10.00"),
        ("2000.00", 13, "7.31", "7.31"),  # never more than the interest that is saved
        ("100.50", 13, "500.00", "1.00"),  # 1.005, half-even
        ("101.50", 13, "500.00", "1.02"),  # 1.015, half-even
        ("2000.00", 1, "0.00", "0.00"),
    ],
)
def test_the_fee_is_a_share_of_the_amount(amount: str, remaining: int, saved: str, fee: str) -> None:
    assert str(policy.fee(Decimal(amount), remaining, Decimal(saved))) == fee


@pytest.mark.parametrize(
    ("amount", "overdue", "rule"),
    [("100.00", "0", ""), ("99.99", "0", "L8"), ("50.00", "0", ""), ("100.00", "0.01", "L7")],
)
def test_what_may_be_repaid_early(amount: str, overdue: str, rule: str) -> None:
    outstanding = Decimal("50.00") if amount == "50.00" else Decimal("5000.00")
    refused = policy.refuse_early(Decimal(amount), outstanding, Decimal(overdue), "EUR")
    assert (refused.rule if refused else "") == rule


def asked(**more: Any) -> RepayEarly:
    usual = {"customer_id": "alice", "loan_id": "LN-0001", "amount": "2000", "fee": "20", "currency": "EUR"}
    return RepayEarly.model_validate(usual | more)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, None),
        ({"fee": "19.99"}, "The fee is 20.00 EUR, not 19.99 EUR."),
        ({"currency": "USD"}, "This loan is in EUR"),
    ],
)
def test_what_the_customer_confirmed_is_done_or_nothing(more: dict[str, str], told: str | None) -> None:
    refused = policy.refuse_other_terms(asked(**more), Decimal("20.00"), "EUR")
    assert refused is None if told is None else refused and refused.why.startswith(told)


def test_the_question_names_amount_fee_and_sum() -> None:
    assert repayment_question(asked()) == (
        "Repay 2,000.00 EUR of your loan LN-0001 early, with a fee of 20.00 EUR: 2,020.00 EUR from your Checking?"
    )


def test_a_repayment_that_was_undone_leaves_nothing_but_its_id() -> None:
    request = Reduce(repayment_id="r", loan_id="LN-0001", amount=Decimal(100), fee=Decimal(1), after_payments=3)
    booked = early.book(Repayments(), request, TODAY)
    assert booked.find("r") is not None
    undone = early.undo(booked, "r")
    assert (undone.made, undone.undone) == ((), ("r",))
    assert early.undo(Repayments(), "never").undone == ("never",)
