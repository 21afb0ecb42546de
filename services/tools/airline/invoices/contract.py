"""What the invoices promise: the invoice for a booking, sent to its customer. Agents import this and nothing else."""

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
    """An invoice that was sent by e-mail."""

    summary: str = Field(description="What was sent where, in one sentence")
    invoice_number: str
    confirmation_number: str
    total: Money = Field(description="With taxes")
    currency: str
    sent_to: str = Field(description="The address on file, partly hidden")


EMAIL_INVOICE = Tool(
    service="Invoices",
    handler="email_invoice",
    purpose="Send the invoice for the customer's booking to the e-mail address on file. No other address can be given.",
    input=InvoiceRequest,
    output=InvoiceSent,
)
