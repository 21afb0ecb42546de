"""Payments against values worked out by hand, and the properties of every plan."""

from decimal import Decimal

import pytest

from services.tools.bank.amortisation import monthly_payment, plan, rest_of_plan

LOANS = [
    ("10000.00", "6", 24),
    ("16500.00", "4.90", 60),
    ("240000.00", "3.10", 300),
    ("6000.00", "8.90", 36),
    ("1200.00", "0", 12),
    ("1000.00", "0", 3),
    ("100.00", "12", 1),
    ("0.01", "5", 480),
    ("1.00", "0", 150),
    ("1.01", "0", 66),  # a cent is left after 50 payments of two
    ("5000.00", "29.99", 480),
]


@pytest.mark.parametrize(
    ("principal", "rate", "months", "payment"),
    [
        ("10000.00", "6", 24, "443.21"),
        ("200000.00", "4", 360, "954.83"),
        ("20000.00", "5", 60, "377.42"),
        ("100000.00", "6", 360, "599.55"),
        ("1200.00", "0", 12, "100.00"),
        ("1000.00", "0", 3, "333.33"),
        ("100.00", "12", 1, "101.00"),
        ("0.25", "0", 2, "0.12"),  # 0.125 goes to the even cent
        ("0.27", "0", 2, "0.14"),  # 0.135 goes to the even cent
    ],
)
def test_the_monthly_payment_is_that_of_the_textbook(principal: str, rate: str, months: int, payment: str) -> None:
    assert str(monthly_payment(Decimal(principal), Decimal(rate), months)) == payment


def test_a_small_plan_is_the_one_worked_out_by_hand() -> None:
    rows = [
        tuple(map(str, (i.payment, i.interest, i.principal, i.balance))) for i in plan(Decimal(1000), Decimal(12), 3)
    ]
    assert rows == [
        ("340.02", "10.00", "330.02", "669.98"),
        ("340.02", "6.70", "333.32", "336.66"),
        ("340.03", "3.37", "336.66", "0.00"),
    ]


@pytest.mark.parametrize(("principal", "rate", "months"), LOANS)
def test_a_plan_pays_back_the_principal_and_the_interest_exactly(principal: str, rate: str, months: int) -> None:
    instalments = plan(Decimal(principal), Decimal(rate), months)
    paid, interest = sum(i.payment for i in instalments), sum(i.interest for i in instalments)
    assert paid == Decimal(principal) + interest
    assert sum(i.principal for i in instalments) == Decimal(principal)
    assert str(instalments[-1].balance) == "0.00"


@pytest.mark.parametrize(("principal", "rate", "months"), LOANS)
def test_every_payment_but_the_last_is_the_same_and_lowers_the_balance(principal: str, rate: str, months: int) -> None:
    instalments = plan(Decimal(principal), Decimal(rate), months)
    balances = [Decimal(principal), *(i.balance for i in instalments)]
    assert len({i.payment for i in instalments[:-1]}) <= 1
    assert all(i.payment == i.interest + i.principal for i in instalments)
    assert balances == sorted(balances, reverse=True)
    assert len(instalments) <= months


def test_rounding_up_ends_a_tiny_loan_early_rather_than_paying_too_much() -> None:
    assert len(plan(Decimal("1.00"), Decimal(0), 150)) == 100


@pytest.mark.parametrize(
    ("principal", "rate", "months"),
    [
        ("0.00", "5", 12),
        ("-1.00", "5", 12),
        ("1.005", "5", 12),
        ("100.00", "-1", 12),
        ("100.00", "5", 0),
        ("1.00", "5", 481),
    ],
)
def test_an_impossible_loan_is_refused(principal: str, rate: str, months: int) -> None:
    with pytest.raises(ValueError, match="not"):
        plan(Decimal(principal), Decimal(rate), months)


@pytest.mark.parametrize("balance", ["0.01", "443.20", "443.21", "5978.24", "9606.79"])
def test_what_is_left_is_paid_by_the_same_payments_and_the_last_one_settles_it(balance: str) -> None:
    rows = rest_of_plan(Decimal(balance), Decimal("6.00"), Decimal("443.21"))
    assert sum(row.principal for row in rows) == Decimal(balance)
    assert {row.payment for row in rows[:-1]} <= {Decimal("443.21")}
    assert 0 < rows[-1].payment <= Decimal("443.21")
    assert rows[-1].balance == 0


def test_nothing_is_left_of_nothing_and_too_small_a_payment_is_refused() -> None:
    assert rest_of_plan(Decimal("0.00"), Decimal("6.00"), Decimal("443.21")) == ()
    with pytest.raises(ValueError, match="does not pay it back"):
        rest_of_plan(Decimal("1000.00"), Decimal("6.00"), Decimal("5.00"))
