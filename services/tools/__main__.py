"""Runs all tools as one deployment: `python -m services.tools`."""

from services.tools.accounts.handlers import accounts
from services.tools.approvals.handlers import approvals, inbox
from services.tools.bookings.handlers import bookings, confirmation_numbers
from services.tools.calendar.handlers import calendar
from services.tools.faq.handlers import faq
from services.tools.flights.handlers import flights, seats
from services.tools.invoices.handlers import invoices
from services.tools.loan_applications.handlers import loan_applications, loan_desk
from services.tools.loan_applications.workflow import loan_application
from services.tools.loans.handlers import loans
from services.tools.outbox.handlers import outbox
from services.tools.payments.handlers import card_processor, payment_means
from services.tools.reminders.handlers import reminders_object
from services.tools.reservations.handlers import reservations, seat_changes
from services.tools.settings import ToolsSettings
from services.tools.transfers.handlers import transfers
from services.tools.transfers.scheduled import scheduled_transfers_object
from switchboard.serve import serve
from switchboard.settings import load

if __name__ == "__main__":
    settings = load(ToolsSettings)
    desk = loan_desk(settings.approval_deadline)
    lending = (desk, loan_applications, loan_application, approvals, inbox)
    booking = (bookings, confirmation_numbers, payment_means, card_processor)
    scheduled_transfers = scheduled_transfers_object(settings.timer_ahead_min)
    later = (transfers, scheduled_transfers, reminders_object(settings.timer_ahead_min), calendar)
    serve(
        [
            accounts,
            loans,
            *lending,
            *later,
            faq,
            flights,
            seats,
            reservations,
            seat_changes,
            *booking,
            invoices,
            outbox,
        ],
        "tools",
    )
