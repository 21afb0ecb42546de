"""Invoices: positions, totals, and the confirmation to the customer."""

import datetime as dt
from decimal import Decimal

import pytest

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.invoices.contract import EMAIL_INVOICE
from services.tools.airline.invoices.invoice import Invoice, build, compose, confirm, mask

DATA = read_data(DEFAULT_DATA)


def invoice(reservation_id: str) -> Invoice:
    reservation = DATA.reservation(reservation_id, dt.date(2026, 3, 10))
    assert reservation is not None
    return build(reservation, DATA.users[reservation.user_id])


@pytest.mark.parametrize(
    ("reservation_id", "positions", "total"),
    [
        ("AB4568", ["289.40"], "289.40"),
        ("CD7810", ["131.00", "139.00", "50.00"], "320.00"),
        ("JK9001", ["279.00", "30.00"], "309.00"),
        ("EF2204", [], "0"),
    ],
)
def test_positions_add_up_to_the_payments(reservation_id: str, positions: list[str], total: str) -> None:
    built = invoice(reservation_id)
    assert [str(position.amount) for position in built.positions] == positions
    assert built.total == built.paid == Decimal(total)


def test_email_lists_positions_and_total() -> None:
    email = compose(invoice("CD7810"), email_id="e-1")
    assert (email.to, email.subject) == ("bob.brandt@example.com", "Invoice INV-CD7810 for 320.00 USD")
    for line in (
        "SB101 BER to LHR on 2026-03-16, economy, 1 passenger: 131.00 USD",
        "Checked bags, 1 paid: 50.00 USD",
        "Total: 320.00 USD",
    ):
        assert line in email.body


def test_confirmation_masks_the_email_address() -> None:
    assert confirm(invoice("AB4568")).summary == "Invoice INV-AB4568 for 289.40 USD was sent to a***@example.com."
    assert mask("bob@example.com") == "b***@example.com"


def test_model_cannot_choose_the_email_address() -> None:
    assert list(EMAIL_INVOICE.parameters()["properties"]) == ["confirmation_number"]
