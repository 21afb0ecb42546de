"""Runs all tools as one deployment: `python -m services.tools`."""

from services.tools.accounts.handlers import accounts
from services.tools.faq.handlers import faq
from services.tools.flights.handlers import flights, seats
from services.tools.invoices.handlers import invoices
from services.tools.loans.handlers import loans
from services.tools.outbox.handlers import outbox
from services.tools.reservations.handlers import reservations, seat_changes
from switchboard.serve import serve

if __name__ == "__main__":
    serve([accounts, loans, faq, flights, seats, reservations, seat_changes, invoices, outbox])
