"""The bank's demo data, for tests."""

from datetime import date, datetime

from services.tools.bank.accounts.contract import LoanDebits
from services.tools.bank.accounts.ledger import NO_MOVES, Ledger, open_ledger
from services.tools.bank.accounts.moves import Moves
from services.tools.bank.data.demo import DemoBank
from services.tools.bank.records import Borrowing

DEMO = DemoBank.read()
CUSTOMERS = DEMO.customers
PEOPLE = DEMO.people


def ledger_of(
    customer_id: str, seen_at: datetime, now: datetime, moves: Moves = NO_MOVES, ended: tuple[LoanDebits, ...] = ()
) -> Ledger:
    """Return the ledger of a demo customer who was first seen at `seen_at`."""
    history = DEMO.history_of(customer_id, seen_at, now)
    return open_ledger(CUSTOMERS[customer_id], history, seen_at, now, moves, ended)


def borrowing_of(customer_id: str, seen_on: date) -> Borrowing:
    """Return the loans and credit lines of a demo customer who was first seen on `seen_on`."""
    return DEMO.borrowing_of(customer_id, seen_on)
