"""Runs all tools as one deployment: `python -m services.tools`."""

import sys

from services.tools.accounts.handlers import accounts
from services.tools.airline_data.dataset import DataError, airline
from services.tools.airline_records.handlers import airline_records
from services.tools.approvals.handlers import approvals, inbox
from services.tools.calculator.handlers import calculator
from services.tools.calendar.handlers import calendar
from services.tools.cases.handlers import case_desk, case_inbox, cases
from services.tools.customers.handlers import customers
from services.tools.faq.handlers import faq
from services.tools.flights.handlers import flight_seats, flights
from services.tools.invoices.handlers import invoices
from services.tools.loan_applications.handlers import loan_applications, loan_desk
from services.tools.loan_applications.workflow import loan_application
from services.tools.loans.handlers import loans
from services.tools.outbox.handlers import outbox
from services.tools.payments.handlers import card_processor
from services.tools.reminders.handlers import reminders_object
from services.tools.reservations.desk import desk as reservation_desk
from services.tools.reservations.handlers import reservations
from services.tools.seating.handlers import seat_changes
from services.tools.settings import ToolsSettings
from services.tools.transfers.handlers import transfers
from services.tools.transfers.scheduled import scheduled_transfers_object
from switchboard.serve import serve
from switchboard.settings import load


def check_data() -> None:
    """Read the airline's data set now: better no tools than tools that fail at the first customer."""
    try:
        airline()
    except DataError as error:
        sys.stderr.write(f"{error}\nAIRLINE_DATA_DIR names the data set; docs/airline-data.md has its format.\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    settings = load(ToolsSettings)
    check_data()
    desk = loan_desk(settings.approval_deadline)
    lending = (desk, loan_applications, loan_application, approvals, inbox)
    scheduled_transfers = scheduled_transfers_object(settings.timer_ahead_min)
    later = (transfers, scheduled_transfers, reminders_object(settings.timer_ahead_min), calendar)
    booking = (reservation_desk, reservations, customers, flights, flight_seats, seat_changes, card_processor, invoices)
    staff = (calculator, case_desk, case_inbox, cases, airline_records)
    serve([accounts, loans, *lending, *later, faq, *booking, *staff, outbox])
