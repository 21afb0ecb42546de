"""Which moves of money an account takes: it exists, the currency is its own, and the overdraft holds. Pure."""

from services.tools.bank.accounts.contract import MoveMoney, Withdraw, account_title
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.moves import ZERO
from services.tools.bank.records import Account
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

TOO_MANY = 429


def judge_move(ledger: Ledger, request: MoveMoney) -> Account | Refusal:
    """The account on which the move may be booked, whatever it holds."""
    account = named_account(ledger, request.account)
    if isinstance(account, Refusal):
        return account
    if ledger.moves.is_called_off(request.move_id):
        return Refusal("This payment was called off before; start a new one.")
    if request.currency != account.currency:
        named = account_title(account.account)
        return Refusal(f"The {named} account is in {account.currency}, not in {request.currency}.", rule="T5")
    if ledger.moves.full(ledger.now):
        return Refusal("The account takes no more payments today. Try again tomorrow.", TOO_MANY)
    return account


def judge_withdrawal(ledger: Ledger, request: Withdraw) -> Account | Refusal:
    """The account from which the money may be taken: there is enough of it, and no policy could make it more."""
    account = judge_move(ledger, request)
    if isinstance(account, Refusal):
        return account
    available = ledger.available(account)
    if request.amount > available:
        return Refusal(
            f"There is not enough money on the {account_title(account.account)} account:"
            f" {format_amount(available, account.currency)} can be spent, overdraft included, and"
            f" {format_amount(request.amount, account.currency)} is asked for.",
            rule="A1",
        )
    return account


def refuse_over_day_limit(ledger: Ledger, request: Withdraw) -> Refusal | None:
    """All withdrawals of a day that count towards the limit stay within it, by currency, whatever account pays."""
    if request.day_limit is None:
        return None
    same = {account.account for account in ledger.customer.accounts if account.currency == request.currency}
    left = request.day_limit - ledger.moves.limited_on(ledger.now, same)
    if request.amount <= left:
        return None
    return Refusal(
        f"That is over the limit of {format_amount(request.day_limit, request.currency)} a day:"
        f" {format_amount(max(left, ZERO), request.currency)} can still be sent today.",
        rule="T2",
    )


def named_account(ledger: Ledger, ref: str) -> Account | Refusal:
    account = ledger.customer.find_account(ref)
    if account is not None:
        return account
    names = " and ".join(account_title(account.account) for account in ledger.customer.accounts)
    return Refusal(f"There is no {account_title(ref)} account. There is: {names}.", NOT_FOUND)


def stands(ledger: Ledger, move_id: str) -> bool:
    """Whether a move is past undoing: it brought money that is not there any more."""
    move = ledger.moves.find(move_id)
    account = named_account(ledger, move.account) if move else None
    return bool(move and isinstance(account, Account) and move.amount > ledger.available(account))
