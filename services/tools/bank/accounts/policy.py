"""Validates moves: the account exists, the currency matches, and the money is available. Pure."""

from services.tools.bank.accounts.contract import MoveMoney, Withdraw, account_phrase, account_title
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.moves import ZERO
from services.tools.bank.records import Account
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

TOO_MANY = 429

CANCELLED = "This payment was cancelled. Please start a new payment."


def validate_move(ledger: Ledger, request: MoveMoney) -> Account | Refusal:
    """Return the account on which the move can be booked. The balance is not checked."""
    account = named_account(ledger, request.account)
    if isinstance(account, Refusal):
        return account
    if ledger.moves.is_called_off(request.move_id):
        return Refusal(CANCELLED)
    if request.currency != account.currency:
        why = f"The {account_phrase(account.account)} is in {account.currency}, not in {request.currency}."
        return Refusal(why, rule="T5")
    if ledger.moves.full(ledger.now):
        return Refusal("The account has reached its maximum number of payments. Please try again tomorrow.", TOO_MANY)
    return account


def validate_withdrawal(ledger: Ledger, request: Withdraw) -> Account | Refusal:
    """Return the account from which the money can be withdrawn. Its available balance is sufficient."""
    account = validate_move(ledger, request)
    if isinstance(account, Refusal):
        return account
    available = ledger.available(account)
    if request.amount > available:
        return Refusal(
            f"There is not enough money in the {account_phrase(account.account)}."
            f" {format_amount(available, account.currency)} is available, including the overdraft, but the payment is"
            f" {format_amount(request.amount, account.currency)}.",
            rule="A1",
        )
    return account


def refuse_over_day_limit(ledger: Ledger, request: Withdraw) -> Refusal | None:
    """Refuse a withdrawal that exceeds the daily limit, which covers all accounts in the same currency."""
    if request.day_limit is None:
        return None
    same = {account.account for account in ledger.customer.accounts if account.currency == request.currency}
    left = request.day_limit - ledger.moves.limited_on(ledger.now, same)
    if request.amount <= left:
        return None
    return Refusal(
        f"That exceeds the daily limit of {format_amount(request.day_limit, request.currency)}."
        f" You can still send {format_amount(max(left, ZERO), request.currency)} today.",
        rule="T2",
    )


def named_account(ledger: Ledger, ref: str) -> Account | Refusal:
    account = ledger.customer.find_account(ref)
    if account is not None:
        return account
    names = " and ".join(account_title(account.account) for account in ledger.customer.accounts)
    return Refusal(f"You have no {account_phrase(ref)}. Your accounts: {names}.", NOT_FOUND)


def is_spent(ledger: Ledger, move_id: str) -> bool:
    """Return whether a move was a deposit whose money has been spent, so that it can no longer be undone."""
    move = ledger.moves.find(move_id)
    account = named_account(ledger, move.account) if move else None
    return bool(move and isinstance(account, Account) and move.amount > ledger.available(account))
