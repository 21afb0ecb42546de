"""What stands on an invoice, and what the customer is told of it."""

from decimal import Decimal

import pytest

from services.tools.invoices.contract import EMAIL_INVOICE
from services.tools.invoices.invoice import TaxSum, build, compose, confirm, mask
from services.tools.reservations.contract import Bill, Charge


def charge(net: str, tax_percent: int, tax: str) -> Charge:
    return Charge(description="Fare", net=Decimal(net), tax_percent=tax_percent, tax=Decimal(tax))


def bill(*charges: Charge) -> Bill:
    return Bill(
        confirmation_number="AB4568", name="Alice Adler", email="alice@example.com", currency="EUR", charges=charges
    )


FARE = charge("219.00", 19, "41.61")
AIRPORT = charge("28.79", 0, "0.00")
MEAL = charge("10.00", 7, "0.70")


@pytest.mark.parametrize(
    ("charges", "net", "taxes", "total"),
    [
        ((FARE, AIRPORT), "247.79", [(19, "41.61")], "289.40"),
        ((FARE, MEAL, FARE), "448.00", [(7, "0.70"), (19, "83.22")], "531.92"),
        ((AIRPORT,), "28.79", [], "28.79"),
        ((), "0.00", [], "0.00"),
    ],
)
def test_an_invoice_adds_up(charges: tuple[Charge, ...], net: str, taxes: list[tuple[int, str]], total: str) -> None:
    invoice = build(bill(*charges))
    assert (str(invoice.net), str(invoice.total)) == (net, total)
    assert invoice.taxes == tuple(TaxSum(percent=percent, tax=Decimal(tax)) for percent, tax in taxes)


def test_an_invoice_for_one_bill_is_always_the_same() -> None:
    assert build(bill(FARE)) == build(bill(FARE))
    assert build(bill(FARE)).number == "INV-AB4568"


def test_the_email_goes_to_the_address_on_file_and_holds_every_line() -> None:
    of = bill(FARE, AIRPORT)
    email = compose(build(of), of, email_id="id-1")
    assert (email.email_id, email.to) == ("id-1", "alice@example.com")
    assert email.subject == "Invoice INV-AB4568 over 289.40 EUR"
    assert email.body.endswith("Fare: 219.00 EUR net\nFare: 28.79 EUR net\nTax 19 %: 41.61 EUR\nTotal: 289.40 EUR")


def test_the_customer_is_told_number_amount_and_part_of_the_address() -> None:
    of = bill(FARE, AIRPORT)
    told = confirm(build(of), of)
    assert told.summary == "Invoice INV-AB4568 over 289.40 EUR was sent to a***@example.com."
    assert "alice" not in told.model_dump_json()


@pytest.mark.parametrize(
    ("email", "masked"), [("alice@example.com", "a***@example.com"), ("b@c.de", "b***@c.de"), ("@c.de", "***@c.de")]
)
def test_an_address_is_hidden_in_part(email: str, masked: str) -> None:
    assert mask(email) == masked


def test_a_model_chooses_the_booking_and_neither_customer_nor_address() -> None:
    assert list(EMAIL_INVOICE.parameters()["properties"]) == ["confirmation_number"]
