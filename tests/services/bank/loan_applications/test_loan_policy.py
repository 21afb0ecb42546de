"""Who gets a loan: the rules, as rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.tools.bank.accounts.contract import CategorySpending, Spending, Transaction, TransactionList
from services.tools.bank.loan_applications.policy import Figures, figures, judge, judge_request, offer, undecided
from services.tools.bank.loans.contract import Loan, LoanOverview
from switchboard.toolkit.refusal import Refusal

DAY = date(2026, 3, 1)


def found(
    burden: str | None = "20", gambling: str = "0", overdue: str = "0", months: int = 3, owed: str = "0"
) -> Figures:
    return Figures(
        currency="EUR",
        monthly_income=Decimal(3000),
        months_with_income=months,
        monthly_payments=Decimal(0),
        overdue=Decimal(overdue),
        gambling_percent=Decimal(gambling),
        burden_percent=None if burden is None else Decimal(burden),
        owed=Decimal(owed),
    )


@pytest.mark.parametrize(
    ("amount", "at", "outcome", "said"),
    [
        ("5000.00", found(), "approve", "Your income carries it"),
        ("5000.01", found(), "refer", "more than 5,000.00 EUR"),
        ("600", found(burden="35"), "approve", ""),
        ("600", found(burden="35.01"), "refer", "payments of 35.01 % of the income"),
        ("600", found(burden="50"), "refer", ""),
        ("600", found(burden="50.01"), "decline", "would take 50.01 % of your monthly income"),
        ("600", found(gambling="5"), "approve", ""),
        ("600", found(gambling="5.01"), "refer", "gambling of 5.01 % of the spending"),
        ("600", found(gambling="15.01"), "decline", "Gambling is 15.01 %"),
        ("600", found(months=1), "refer", "a salary in only one month"),
        ("600", found(burden=None, months=0), "decline", "no salary"),
        ("600", found(overdue="0.01"), "decline", "Payments of 0.01 EUR"),
        ("90000", found(overdue="0.01"), "decline", "overdue"),
        ("600", found(owed="4400"), "approve", ""),
        ("600", found(owed="4400.01"), "refer", "more than 5,000.00 EUR with 4,400.01 EUR that is owed already"),
        ("600", found(owed="99400"), "refer", ""),
        ("600", found(owed="99400.01"), "decline", "You owe 99,400.01 EUR on personal loans already, and with this"),
        ("90000", found(burden="40"), "refer", "payments of 40.00 % of the income, more than 5,000.00 EUR"),
    ],
)
def test_clearly_bad_is_declined_small_and_good_is_approved_all_else_is_for_staff(
    amount: str, at: Figures, outcome: str, said: str
) -> None:
    verdict = judge(Decimal(amount), at)
    assert verdict.outcome == outcome
    assert said in verdict.why


@pytest.mark.parametrize(
    ("amount", "months", "said"),
    [
        ("499.99", 12, "from 500.00 EUR to 100,000.00 EUR, not 499.99 EUR"),
        ("100000.01", 12, "not 100,000.01 EUR"),
        ("1000", 5, "6 to 120 months, not 5"),
        ("1000", 121, "not 121"),
    ],
)
def test_what_cannot_be_applied_for_is_refused_with_what_can(amount: str, months: int, said: str) -> None:
    refused = judge_request(Decimal(amount), months, "EUR")
    assert isinstance(refused, Refusal)
    assert refused.status_code == 422
    assert said in refused.why


@pytest.mark.parametrize(("amount", "months"), [("500", 6), ("100000", 120)])
def test_the_limits_themselves_can_be_applied_for(amount: str, months: int) -> None:
    assert judge_request(Decimal(amount), months, "EUR") is None


def test_an_offer_is_amortised_to_the_cent() -> None:
    """By hand: 10,000 at 6.9 % over 24 months is 10000 r / (1 - (1 + r)^-24) with r = 0.00575."""
    cost = offer(Decimal(10_000), 24)
    assert cost.monthly_payment == Decimal("447.27")
    assert cost.total_interest == pytest.approx(Decimal("447.27") * 24 - 10_000, abs=Decimal("0.12"))


def paid(amount: str, month: int) -> Transaction:
    return Transaction(
        transaction_id="TX-0000000000",
        booked_at=datetime(2026, month, 28, tzinfo=UTC),
        account="checking",
        merchant="Employer",
        category="salary",
        amount=Decimal(amount),
        currency="EUR",
    )


def held(product: str, outstanding: str) -> Loan:
    return Loan(
        loan_id="LN-0001",
        product=product,
        status="active",
        principal=Decimal(1000),
        outstanding=Decimal(outstanding),
        overdue=Decimal(0),
        annual_rate_percent=Decimal("6.90"),
        term_months=12,
        paid_months=0,
        monthly_payment=Decimal(90),
        next_payment_on=DAY,
        currency="EUR",
    )


def computed(
    *salary: Transaction,
    gambled: str = "0.00",
    spent: str = "1000.00",
    payments: str = "200.00",
    loans: tuple[Loan, ...] = (),
) -> Figures:
    transactions = TransactionList(
        summary="", first_day=DAY, last_day=DAY, matching=len(salary), transactions=tuple(salary)
    )
    overview = LoanOverview(
        summary="",
        loans=loans,
        credit_lines=(),
        total_outstanding=Decimal(0),
        total_monthly_payment=Decimal(payments),
        currency="EUR",
    )
    spending = Spending(
        summary="",
        first_day=DAY,
        last_day=DAY,
        total=Decimal(spent),
        payments=1,
        currency="EUR",
        by_category=(CategorySpending(category="gambling", total=Decimal(gambled), payments=1),),
        biggest_merchants=(),
    )
    return figures(transactions, overview, spending, Decimal("100.00"))


def test_the_income_is_the_same_whether_ninety_days_hold_two_paydays_or_three() -> None:
    two, three = computed(paid("3000", 1), paid("3000", 2)), computed(*(paid("3000", month) for month in (1, 2, 3)))
    assert two.monthly_income == three.monthly_income == Decimal(3000)
    assert (two.months_with_income, three.months_with_income) == (2, 3)


def test_two_salaries_in_one_month_are_one_months_income() -> None:
    assert computed(paid("1000", 1), paid("500", 1)).monthly_income == Decimal(1500)


def test_the_new_payment_counts_towards_the_burden() -> None:
    assert computed(paid("3000", 1)).burden_percent == Decimal("10.00")


def test_gambling_is_a_share_of_the_spending() -> None:
    assert computed(paid("3000", 1), gambled="25.00").gambling_percent == Decimal("2.50")
    assert computed(paid("3000", 1), spent="0.00").gambling_percent == 0


def test_money_that_was_paid_back_to_an_employer_is_no_income() -> None:
    assert computed(paid("-10", 1)).burden_percent is None


@pytest.mark.parametrize(
    ("within", "said"), [(timedelta(hours=72), "within 72 hours."), (timedelta(seconds=3), "within 3 seconds.")]
)
def test_the_deadline_is_named(within: timedelta, said: str) -> None:
    assert said in undecided(within)


def test_only_loans_that_were_applied_for_here_count_in_the_limits() -> None:
    """A home or a car loan is no loan of this desk; its payments count in the burden."""
    told = computed(paid("3000", 1), loans=(held("Personal loan", "700.50"), held("Personal loan", "0.00")))
    assert told.owed == Decimal("700.50")
    assert computed(paid("3000", 1), loans=(held("Home loan", "200000.00"),)).owed == 0
