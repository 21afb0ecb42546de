"""Runs all tools as one deployment: `python -m services.tools`."""

import sys

from services.tools.airline.customers.handlers import customers
from services.tools.airline.data.dataset import DataError, airline
from services.tools.airline.faq.handlers import airline_faq
from services.tools.airline.flights.handlers import flight_seats, flights
from services.tools.airline.invoices.handlers import invoices
from services.tools.airline.payments.handlers import card_processor
from services.tools.airline.records.handlers import airline_records
from services.tools.airline.reservations.handlers import reservations
from services.tools.airline.reservations.service import reservation_service
from services.tools.airline.seating.handlers import seat_changes
from services.tools.bank.accounts.handlers import accounts
from services.tools.bank.cards.handlers import cards
from services.tools.bank.disputes.handlers import dispute_desk, disputes
from services.tools.bank.disputes.workflow import dispute_case
from services.tools.bank.loan_applications.handlers import loan_applications, loan_desk
from services.tools.bank.loan_applications.workflow import loan_application
from services.tools.bank.loans.handlers import loans
from services.tools.bank.loans.repayment_service import loan_repayments
from services.tools.bank.payment_network.handlers import payment_network
from services.tools.bank.standing_orders.handlers import standing_order_desk, standing_orders_object
from services.tools.bank.transfers.handlers import transfers
from services.tools.bank.transfers.scheduled_transfers import scheduled_transfers_object
from services.tools.known_customers import facts_on_record
from switchboard.builtin.approvals.handlers import approvals, inbox
from switchboard.builtin.calculator.handlers import calculator
from switchboard.builtin.calendar.handlers import calendar
from switchboard.builtin.cases.handlers import case_desk, case_inbox, cases
from switchboard.builtin.identity.handlers import identity_checks_object, identity_records
from switchboard.builtin.outbox.handlers import outbox
from switchboard.builtin.reminders.handlers import reminders_object
from switchboard.runtime.serve import serve
from switchboard.runtime.settings import load
from switchboard.toolkit.policy import policy_mode
from switchboard.toolkit.settings import ToolsSettings


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
    knowing = (identity_checks_object(facts_on_record), identity_records)
    later = (transfers, scheduled_transfers, reminders_object(settings.timer_ahead_min), calendar)
    reserving = (reservation_service, reservations, flights, flight_seats, seat_changes)
    booking = (*reserving, customers, card_processor, invoices)
    staff = (calculator, case_desk, case_inbox, cases, airline_records)
    serve([*banking, *lending, *disputing, *knowing, *later, airline_faq, *booking, *staff, outbox], "tools")
