"""The contract of invoices: send the invoice for a booking to its customer. Agents import only this module."""

from pydantic import Field

from services.tools.airline.reservations.contract import ReservationId, UserId
from switchboard import Tool
from switchboard.contract import PersonalInput
from switchboard.messages import WireModel
from switchboard.money import Money
from switchboard.words import OthersWords, OurWords


class InvoiceRequest(PersonalInput):
    customer_id: UserId
    confirmation_number: ReservationId


class InvoiceSent(WireModel):
    """The result of sending an invoice by e-mail."""

    summary: OthersWords = Field(description="What was sent and where to, in one sentence")
    invoice_number: OurWords
    confirmation_number: OurWords
    total: Money = Field(description="Including taxes")
    currency: OurWords
    sent_to: OthersWords = Field(description="The address on file, partly hidden")


EMAIL_INVOICE = Tool(
    service="Invoices",
    handler="email_invoice",
    purpose="Send the invoice for a booking to the e-mail address on file. No other address is possible.",
    input=InvoiceRequest,
    output=InvoiceSent,
    label="send the invoice",
)
