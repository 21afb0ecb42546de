"""Runs all tools as one deployment: `python -m services.tools`."""

import sys

from services.tools.accounts.handlers import accounts
from services.tools.airline_data.dataset import DataError, airline
from services.tools.airline_records.handlers import airline_records
from services.tools.approvals.handlers import approvals, inbox
from services.tools.calculator.handlers import calculator
from services.tools.calendar.handlers import calendar
from services.tools.cards.handlers import cards
from services.tools.cases.handlers import case_desk, case_inbox, cases
from services.tools.customers.handlers import customers
from services.tools.disputes.handlers import dispute_desk, disputes
from services.tools.disputes.workflow import dispute_case
from services.tools.faq.handlers import faq
from services.tools.flights.handlers import flight_seats, flights
from services.tools.identity.handlers import identity_checks, identity_records
from services.tools.invoices.handlers import invoices
from services.tools.judge import policy_mode
from services.tools.loan_applications.handlers import loan_applications, loan_desk
from services.tools.loan_applications.workflow import loan_application
from services.tools.loans.handlers import loans
from services.tools.loans.repayments import loan_repayments
from services.tools.outbox.handlers import outbox
from services.tools.payment_network.handlers import payment_network
from services.tools.payments.handlers import card_processor
from services.tools.reminders.handlers import reminders_object
from services.tools.reservations.desk import desk as reservation_desk
from services.tools.reservations.handlers import reservations
from services.tools.seating.handlers import seat_changes
from services.tools.settings import ToolsSettings
from services.tools.standing_orders.handlers import standing_order_desk, standing_orders_object
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
    policy_mode()  # A value that is none ends the process now, not at the first decision.
    check_data()
    desk = loan_desk(settings.approval_deadline)
    lending = (desk, loan_applications, loan_application, approvals, inbox)
    scheduled_transfers = scheduled_transfers_object(settings.timer_ahead_min)
    standing_orders = (standing_orders_object(settings.timer_ahead_min), standing_order_desk)
    banking = (accounts, loans, loan_repayments, cards, payment_network, *standing_orders)
    disputing = (dispute_desk(settings.approval_deadline), disputes, dispute_case)
    knowing = (identity_checks, identity_records)
    later = (transfers, scheduled_transfers, reminders_object(settings.timer_ahead_min), calendar)
    booking = (reservation_desk, reservations, customers, flights, flight_seats, seat_changes, card_processor, invoices)
    staff = (calculator, case_desk, case_inbox, cases, airline_records)
    serve([*banking, *lending, *disputing, *knowing, *later, faq, *booking, *staff, outbox], "tools")
