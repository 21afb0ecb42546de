"""Monthly payments compared with known values, and the properties of every repayment plan."""

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
        ("0.25", "0", 2, "0.12"),  # 0.125 is rounded to the even cent
        ("0.27", "0", 2, "0.14"),  # 0.135 is rounded to the even cent
    ],
)
def test_monthly_payment_matches_textbook_values(principal: str, rate: str, months: int, payment: str) -> None:
    assert str(monthly_payment(Decimal(principal), Decimal(rate), months)) == payment


def test_small_plan_matches_a_calculation_by_hand() -> None:
    rows = [
        tuple(map(str, (i.payment, i.interest, i.principal, i.balance))) for i in plan(Decimal(1000), Decimal(12), 3)
    ]
    assert rows == [
        ("340.02", "10.00", "330.02", "669.98"),
        ("340.02", "6.70", "333.32", "336.66"),
        ("340.03", "3.37", "336.66", "0.00"),
    ]


@pytest.mark.parametrize(("principal", "rate", "months"), LOANS)
def test_plan_pays_back_principal_and_interest_exactly(principal: str, rate: str, months: int) -> None:
    instalments = plan(Decimal(principal), Decimal(rate), months)
    paid, interest = sum(i.payment for i in instalments), sum(i.interest for i in instalments)
    assert paid == Decimal(principal) + interest
    assert sum(i.principal for i in instalments) == Decimal(principal)
    assert str(instalments[-1].balance) == "0.00"


@pytest.mark.parametrize(("principal", "rate", "months"), LOANS)
def test_payments_are_equal_except_the_last_and_lower_the_balance(principal: str, rate: str, months: int) -> None:
    instalments = plan(Decimal(principal), Decimal(rate), months)
    balances = [Decimal(principal), *(i.balance for i in instalments)]
    assert len({i.payment for i in instalments[:-1]}) <= 1
    assert all(i.payment == i.interest + i.principal for i in instalments)
    assert balances == sorted(balances, reverse=True)
    assert len(instalments) <= months


def test_rounding_up_ends_a_tiny_loan_early() -> None:
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
def test_invalid_loan_is_rejected(principal: str, rate: str, months: int) -> None:
    with pytest.raises(ValueError, match="not"):
        plan(Decimal(principal), Decimal(rate), months)


@pytest.mark.parametrize("balance", ["0.01", "443.20", "443.21", "5978.24", "9606.79"])
def test_rest_of_plan_keeps_the_payment_and_settles_with_the_last_one(balance: str) -> None:
    rows = rest_of_plan(Decimal(balance), Decimal("6.00"), Decimal("443.21"))
    assert sum(row.principal for row in rows) == Decimal(balance)
    assert {row.payment for row in rows[:-1]} <= {Decimal("443.21")}
    assert 0 < rows[-1].payment <= Decimal("443.21")
    assert rows[-1].balance == 0


def test_rest_of_plan_is_empty_without_balance_and_rejects_too_small_payments() -> None:
    assert rest_of_plan(Decimal("0.00"), Decimal("6.00"), Decimal("443.21")) == ()
    with pytest.raises(ValueError, match="does not pay back the balance"):
        rest_of_plan(Decimal("1000.00"), Decimal("6.00"), Decimal("5.00"))
