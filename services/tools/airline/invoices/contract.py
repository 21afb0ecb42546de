"""The contract of invoices: send the invoice for a booking to its customer. Agents import only this module."""

from pydantic import Field

from services.tools.airline.reservations.contract import ReservationId, UserId
from switchboard import Tool
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Money


class InvoiceRequest(PersonalInput):
    customer_id: UserId
    confirmation_number: ReservationId


class InvoiceSent(WireModel):
    """The result of sending an invoice by e-mail."""

    summary: str = Field(description="What was sent and where to, in one sentence")
    invoice_number: str
    confirmation_number: str
    total: Money = Field(description="Including taxes")
    currency: str
    sent_to: str = Field(description="The address on file, partly hidden")


EMAIL_INVOICE = Tool(
    service="Invoices",
    handler="email_invoice",
    purpose="Send the invoice for a booking to the e-mail address on file. No other address is possible.",
    input=InvoiceRequest,
    output=InvoiceSent,
    label="send the invoice",
)
