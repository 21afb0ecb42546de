"""Serve all tools as one deployment: `python -m services.tools`."""

import sys
from collections.abc import Sequence

from services.tools.airline.customers.handlers import customers_object
from services.tools.airline.data.dataset import AirlineData, DataError, data_set
from services.tools.airline.faq.handlers import airline_faq
from services.tools.airline.flights.handlers import flight_seats_object, flights_service
from services.tools.airline.invoices.handlers import invoices
from services.tools.airline.payments.handlers import card_processor_object
from services.tools.airline.record_dump.handlers import airline_records_service
from services.tools.airline.reservations.handlers import reservations_object
from services.tools.airline.reservations.service import reservation_service
from services.tools.airline.seat_changes.handlers import seat_changes
from services.tools.bank.accounts.handlers import accounts_object
from services.tools.bank.accounts.move_store import MoveStore
from services.tools.bank.cards.handlers import cards_object
from services.tools.bank.data.demo import DemoBank
from services.tools.bank.disputes.handlers import dispute_service, disputes
from services.tools.bank.disputes.workflow import dispute_case
from services.tools.bank.loan_applications.handlers import loan_application_service, loan_applications
from services.tools.bank.loan_applications.workflow import loan_application
from services.tools.bank.loans.handlers import loans_object
from services.tools.bank.loans.repayment_service import loan_repayments
from services.tools.bank.lookups import BankRecords
from services.tools.bank.payment_network.handlers import payment_network
from services.tools.bank.settings import DATABASE_URL, BankSettings
from services.tools.bank.standing_orders.handlers import standing_order_service, standing_orders_object
from services.tools.bank.transfers.handlers import transfers_service
from services.tools.bank.transfers.scheduled_transfers import scheduled_transfers_object
from services.tools.known_customers import facts_on_record
from switchboard import serve
from switchboard.builtin.approvals.handlers import approvals, inbox
from switchboard.builtin.calculator.handlers import calculator
from switchboard.builtin.calendar.handlers import calendar
from switchboard.builtin.cases.handlers import case_desk, case_inbox, cases
from switchboard.builtin.identity.handlers import identity_checks_object, identity_records
from switchboard.builtin.outbox.handlers import outbox
from switchboard.builtin.reminders.handlers import reminders_object
from switchboard.runtime.serve import AnyPart, AnyService
from switchboard.runtime.settings import load
from switchboard.toolkit.policy import policy_mode
from switchboard.toolkit.settings import ToolsSettings


def tools(
    settings: ToolsSettings, bank: BankRecords, data: AirlineData, moves: MoveStore | None = None
) -> Sequence[AnyService]:
    """Build all services. Another bank or airline passes in its own records. `moves` keeps the bookings on accounts."""
    ahead_min, decide_within = settings.timer_ahead_min, settings.approval_deadline
    applications = (loan_application_service(bank, decide_within), loan_applications, loan_application)
    scheduled_transfers = scheduled_transfers_object(bank, ahead_min)
    standing_orders = (standing_orders_object(ahead_min), standing_order_service)
    accounts = (accounts_object(bank, moves), loans_object(bank), loan_repayments, cards_object(bank))
    dispute_services = (dispute_service(decide_within), disputes, dispute_case)
    bank_services = (*accounts, payment_network, *standing_orders, *applications, *dispute_services)
    identity = (identity_checks_object(facts_on_record(bank, data.users)), identity_records)
    transfers = (transfers_service(bank), scheduled_transfers, reminders_object(ahead_min), calendar)
    flights = (flights_service(data), flight_seats_object(data), seat_changes, airline_faq)
    bookings = (reservations_object(data), customers_object(data), card_processor_object(data))
    airline = (reservation_service, *bookings, *flights, invoices, airline_records_service(data))
    support = (approvals, inbox, calculator, case_desk, case_inbox, cases)
    return [*bank_services, *identity, *transfers, *airline, *support, outbox]


def airline_data() -> AirlineData:
    """Read the airline's data set. Exit with an error at startup rather than fail on the first customer's call."""
    try:
        return data_set()
    except DataError as error:
        sys.stderr.write(
            f"{error}\nSet AIRLINE_DATA_DIR to the data set. docs/reference/airline-data.md describes its format.\n"
        )
        raise SystemExit(1) from error


def main() -> None:
    """Serve until SIGTERM."""
    policy_mode()  # An invalid POLICY ends the process at startup, not at the first decision.
    bank, moves, parts = bank_accounts()
    serve(*tools(load(ToolsSettings), bank, airline_data(), moves), *parts, name="tools")


def bank_accounts() -> tuple[BankRecords, MoveStore | None, tuple[AnyPart, ...]]:
    """Return the bank's records, the store of the mesh's own bookings, and the database, if one is set."""
    demo = DemoBank.read()
    if load(BankSettings).database_url is None:
        return demo, None, ()
    # Imported here, because the packages for PostgreSQL are needed only with a database.
    from services.tools.bank.accounts.postgres import PostgresMoves  # noqa: PLC0415
    from services.tools.bank.data.postgres import PostgresBank  # noqa: PLC0415
    from switchboard.toolkit.sql import Database  # noqa: PLC0415

    database = Database(DATABASE_URL)
    return PostgresBank(database, demo), PostgresMoves(database), (database,)


if __name__ == "__main__":
    main()
