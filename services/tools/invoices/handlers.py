"""Serves invoices: reads the bill from the customer's bookings and has the outbox send it, once whatever crashes."""

import restate

from services.tools.call import ask
from services.tools.invoices import invoice as invoicing
from services.tools.invoices.contract import EMAIL_INVOICE, InvoiceRequest, InvoiceSent
from services.tools.outbox.contract import DELIVER
from services.tools.reservations.contract import GET_BILL, BookingRequest
from switchboard.declare import tool_service

invoices = tool_service(EMAIL_INVOICE.service, "Invoices for a customer's bookings, by e-mail.")


@invoices.handler()
async def email_invoice(ctx: restate.Context, request: InvoiceRequest) -> InvoiceSent:
    """Send the invoice for one of the customer's bookings. 404 when there is no such booking among theirs."""
    asked = BookingRequest(confirmation_number=request.confirmation_number)
    bill = await ask(ctx, GET_BILL, asked, request.customer_id)
    invoice = invoicing.build(bill)
    # The id is the same on every attempt of this invocation, and with it the outbox knows an e-mail that it has sent.
    delivery = invoicing.compose(invoice, bill, email_id=str(ctx.uuid()))
    await ask(ctx, DELIVER, delivery, request.customer_id)
    return invoicing.confirm(invoice, bill)
