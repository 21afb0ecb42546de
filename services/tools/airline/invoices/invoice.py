"""Build an invoice from a reservation: positions, payments, total, and the e-mail. Pure."""

from decimal import Decimal

from services.tools.airline.data.models import Reservation, User
from services.tools.airline.invoices.contract import InvoiceSent
from services.tools.airline.rules import BAG_PRICE, CURRENCY, INSURANCE_PRICE
from switchboard.builtin.outbox.contract import Delivery
from switchboard.messages import WireModel
from switchboard.money import CENT, Money, format_amount


class Position(WireModel):
    """One line of an invoice."""

    description: str
    amount: Money


class Invoice(WireModel):
    """An invoice in the airline's currency. `paid` is the sum of the payments minus refunds."""

    number: str
    reservation_id: str
    bill_to: str
    email: str
    positions: tuple[Position, ...]
    total: Money
    paid: Money


def build(reservation: Reservation, user: User) -> Invoice:
    """Build the invoice for a reservation. A cancelled reservation has no positions."""
    lines = () if reservation.status == "cancelled" else positions(reservation)
    return Invoice(
        number=f"INV-{reservation.reservation_id}",
        reservation_id=reservation.reservation_id,
        bill_to=f"{user.name.first_name} {user.name.last_name}",
        email=user.email,
        positions=lines,
        total=sum((line.amount for line in lines), Decimal()),
        paid=sum((payment.amount for payment in reservation.payment_history), Decimal()),
    )


def positions(reservation: Reservation) -> tuple[Position, ...]:
    people = len(reservation.passengers)
    cabin = reservation.cabin.replace("_", " ")
    fares = [
        Position(
            description=f"{flight.flight_number} {flight.origin} to {flight.destination} on {flight.date}, {cabin},"
            f" {people} passenger{'' if people == 1 else 's'}",
            amount=(flight.price * people).quantize(CENT),
        )
        for flight in reservation.flights
    ]
    insured = reservation.insurance == "yes"
    insurance = [Position(description="Travel insurance", amount=INSURANCE_PRICE * people)] if insured else []
    bags = reservation.nonfree_baggages
    paid_bags = [Position(description=f"Checked bags, {bags} paid", amount=BAG_PRICE * bags)] if bags else []
    return (*fares, *insurance, *paid_bags)


def compose(invoice: Invoice, email_id: str) -> Delivery:
    """Return the e-mail with the invoice as text."""
    lines = [f"{line.description}: {format_amount(line.amount, CURRENCY)}" for line in invoice.positions]
    body = [
        f"Dear {invoice.bill_to},",
        "",
        f"this is the invoice for your booking {invoice.reservation_id}.",
        "",
        *lines,
        f"Total: {format_amount(invoice.total, CURRENCY)}",
        f"Paid: {format_amount(invoice.paid, CURRENCY)}",
    ]
    subject = f"Invoice {invoice.number} for {format_amount(invoice.total, CURRENCY)}"
    return Delivery(email_id=email_id, to=invoice.email, subject=subject, body="\n".join(body))


def confirm(invoice: Invoice) -> InvoiceSent:
    """Return the confirmation. It masks the address, because conversations are read by more people than mailboxes."""
    sent_to = mask(invoice.email)
    return InvoiceSent(
        summary=f"Invoice {invoice.number} for {format_amount(invoice.total, CURRENCY)} was sent to {sent_to}.",
        invoice_number=invoice.number,
        confirmation_number=invoice.reservation_id,
        total=invoice.total,
        currency=CURRENCY,
        sent_to=sent_to,
    )


def mask(email: str) -> str:
    """Return `alice@example.com` as `a***@example.com`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"
