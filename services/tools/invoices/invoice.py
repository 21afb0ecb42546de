"""Builds an invoice from a booking's bill: lines, taxes, total, and the e-mail that carries it. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from services.tools.invoices.contract import InvoiceSent
from services.tools.outbox.contract import Delivery
from services.tools.reservations.contract import Bill, Charge
from switchboard.messages import Wire
from switchboard.money import Money


class TaxSum(Wire):
    """All tax of one rate."""

    percent: int
    tax: Money


class Invoice(Wire):
    """An invoice; all amounts are in `currency`. `taxes` lists the rates above zero, the lowest first."""

    number: str
    bill_to: str
    currency: str
    lines: tuple[Charge, ...]
    taxes: tuple[TaxSum, ...]
    net: Money
    total: Money


def build(bill: Bill) -> Invoice:
    """The invoice for a booking; always the same for the same bill."""
    lines = bill.charges
    rates = sorted({line.tax_percent for line in lines if line.tax_percent})
    return Invoice(
        number=f"INV-{bill.confirmation_number}",
        bill_to=bill.name,
        currency=bill.currency,
        lines=lines,
        taxes=tuple(TaxSum(percent=rate, tax=taxed(lines, rate)) for rate in rates),
        net=add(line.net for line in lines),
        total=add(line.net + line.tax for line in lines),
    )


def taxed(lines: tuple[Charge, ...], rate: int) -> Decimal:
    """All tax of one rate, in percent."""
    return add(line.tax for line in lines if line.tax_percent == rate)


def add(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal())


def compose(invoice: Invoice, bill: Bill, email_id: str) -> Delivery:
    """The e-mail with the invoice as text."""
    lines = [f"{line.description}: {line.net} {invoice.currency} net" for line in invoice.lines]
    taxes = [f"Tax {rate.percent} %: {rate.tax} {invoice.currency}" for rate in invoice.taxes]
    body = [
        f"Dear {invoice.bill_to},",
        "",
        f"this is the invoice for your booking {bill.confirmation_number}.",
        "",
        *lines,
        *taxes,
        f"Total: {invoice.total} {invoice.currency}",
    ]
    subject = f"Invoice {invoice.number} over {invoice.total} {invoice.currency}"
    return Delivery(email_id=email_id, to=bill.email, subject=subject, body="\n".join(body))


def confirm(invoice: Invoice, bill: Bill) -> InvoiceSent:
    """What the customer is told; the address is hidden in part: more eyes see a conversation than a mailbox."""
    sent_to = mask(bill.email)
    return InvoiceSent(
        summary=f"Invoice {invoice.number} over {invoice.total} {invoice.currency} was sent to {sent_to}.",
        invoice_number=invoice.number,
        confirmation_number=bill.confirmation_number,
        total=invoice.total,
        currency=invoice.currency,
        sent_to=sent_to,
    )


def mask(email: str) -> str:
    """`alice@example.com` as `a***@example.com`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"
