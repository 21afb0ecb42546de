"""Serve invoices: read the reservation and send its invoice through the outbox, exactly once even after a crash."""

import restate

from services.tools.airline.customers.contract import GET_USER_DETAILS, GetUserDetails
from services.tools.airline.invoices import invoice as invoicing
from services.tools.airline.invoices.contract import EMAIL_INVOICE, InvoiceRequest, InvoiceSent
from services.tools.airline.reservations.contract import GET_RESERVATION_DETAILS, GetReservationDetails
from switchboard import implements
from switchboard.builtin.outbox.contract import DELIVER
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.rpc import call_tool

invoices = tool_service(EMAIL_INVOICE.service, "Invoices for a customer's bookings, by e-mail.")


@implements(invoices, EMAIL_INVOICE)
async def email_invoice(ctx: restate.Context, request: InvoiceRequest) -> InvoiceSent:
    """Send the invoice for one of the customer's bookings. 404 if the customer has no such booking."""
    asked = GetReservationDetails(
        user_id=request.customer_id, reservation_id=request.confirmation_number, signed_in=True
    )
    reservation = await call_tool(ctx, GET_RESERVATION_DETAILS, asked)
    profile = GetUserDetails(user_id=request.customer_id, signed_in=True)
    user = await call_tool(ctx, GET_USER_DETAILS, profile, request.customer_id)
    invoice = invoicing.build(reservation, user)
    # The id is the same on every attempt of this invocation, so the outbox recognises an e-mail that it already sent.
    delivery = invoicing.compose(invoice, email_id=str(ctx.uuid()))
    await call_tool(ctx, DELIVER, delivery, request.customer_id)
    return invoicing.confirm(invoice)
