"""The rules of loan applications, as tables of cases."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.tools.bank.accounts.contract import CategorySpending, Spending, Transaction, TransactionList
from services.tools.bank.loan_applications.policy import Figures, assess, figures, offer, refuse_request, undecided
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
        ("5000.00", found(), "approve", "Your income covers the payments"),
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
        ("600", found(owed="99400.01"), "decline", "You already owe 99,400.01 EUR on personal loans. With this"),
        ("90000", found(burden="40"), "refer", "payments of 40.00 % of the income, more than 5,000.00 EUR"),
    ],
)
def test_application_is_approved_declined_or_referred_by_its_figures(
    amount: str, at: Figures, outcome: str, said: str
) -> None:
    verdict = assess(Decimal(amount), at)
    assert verdict.outcome == outcome
    assert said in verdict.why


@pytest.mark.parametrize(
    ("amount", "months", "said"),
    [
        ("499.99", 12, "between 500.00 EUR and 100,000.00 EUR, not 499.99 EUR"),
        ("100000.01", 12, "not 100,000.01 EUR"),
        ("1000", 5, "6 to 120 months, not 5"),
        ("1000", 121, "not 121"),
    ],
)
def test_request_outside_the_limits_is_refused_with_the_limits(amount: str, months: int, said: str) -> None:
    refused = refuse_request(Decimal(amount), months, "EUR")
    assert isinstance(refused, Refusal)
    assert refused.status_code == 422
    assert said in refused.why


@pytest.mark.parametrize(("amount", "months"), [("500", 6), ("100000", 120)])
def test_requests_at_the_limits_are_accepted(amount: str, months: int) -> None:
    assert refuse_request(Decimal(amount), months, "EUR") is None


def test_offer_is_amortised_to_the_cent() -> None:
    """Calculated by hand: 10,000 at 6.9 % over 24 months is 10000 r / (1 - (1 + r)^-24) with r = 0.00575."""
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


def test_monthly_income_is_the_same_with_two_or_three_paydays() -> None:
    two, three = computed(paid("3000", 1), paid("3000", 2)), computed(*(paid("3000", month) for month in (1, 2, 3)))
    assert two.monthly_income == three.monthly_income == Decimal(3000)
    assert (two.months_with_income, three.months_with_income) == (2, 3)


def test_two_salaries_in_one_month_are_added_up() -> None:
    assert computed(paid("1000", 1), paid("500", 1)).monthly_income == Decimal(1500)


def test_new_payment_counts_towards_the_burden() -> None:
    assert computed(paid("3000", 1)).burden_percent == Decimal("10.00")


def test_gambling_is_a_percentage_of_the_spending() -> None:
    assert computed(paid("3000", 1), gambled="25.00").gambling_percent == Decimal("2.50")
    assert computed(paid("3000", 1), spent="0.00").gambling_percent == 0


def test_payment_to_an_employer_is_not_income() -> None:
    assert computed(paid("-10", 1)).burden_percent is None


@pytest.mark.parametrize(
    ("within", "said"), [(timedelta(hours=72), "within 72 hours."), (timedelta(seconds=3), "within 3 seconds.")]
)
def test_undecided_text_states_the_deadline(within: timedelta, said: str) -> None:
    assert said in undecided(within)


def test_only_personal_loans_count_towards_the_maximum() -> None:
    """The payments of home and car loans count only towards the burden."""
    found = computed(paid("3000", 1), loans=(held("Personal loan", "700.50"), held("Personal loan", "0.00")))
    assert found.owed == Decimal("700.50")
    assert computed(paid("3000", 1), loans=(held("Home loan", "200000.00"),)).owed == 0
