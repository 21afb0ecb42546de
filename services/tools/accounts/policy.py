"""Which moves of money an account takes: it exists, the currency is its own, and the overdraft holds. Pure."""

from services.tools.accounts.contract import AccountKind, MoveMoney, Withdraw
from services.tools.accounts.ledger import Ledger
from services.tools.demo_data.bank import Account
from services.tools.refusal import NOT_FOUND, Refusal
from switchboard.money import spell

TOO_MANY = 429


def judge_move(ledger: Ledger, request: MoveMoney) -> Account | Refusal:
    """The account on which the move may be booked, whatever it holds."""
    account = named_account(ledger, request.account)
    if isinstance(account, Refusal):
        return account
    if ledger.moves.is_called_off(request.move_id):
        return Refusal("This payment was called off before; start a new one.")
    currency = ledger.customer.currency
    if request.currency != currency:
        return Refusal(f"The {title(request.account)} account is in {currency}, not in {request.currency}.")
    if ledger.moves.full(ledger.now):
        return Refusal("The account takes no more payments today. Try again tomorrow.", TOO_MANY)
    return account


def judge_withdrawal(ledger: Ledger, request: Withdraw) -> Account | Refusal:
    """The account from which the money may be taken."""
    account = judge_move(ledger, request)
    if isinstance(account, Refusal):
        return account
    currency = ledger.customer.currency
    if request.day_limit is not None:
        left = request.day_limit - ledger.moves.limited_on(ledger.now)
        if request.amount > left:
            return Refusal(
                f"That is over the limit of {spell(request.day_limit, currency)} a day:"
                f" {spell(left, currency)} can still be sent today."
            )
    available = ledger.available(account)
    if request.amount > available:
        return Refusal(
            f"There is not enough money on the {title(request.account)} account: {spell(available, currency)} can be"
            f" spent, overdraft included, and {spell(request.amount, currency)} is asked for."
        )
    return account


def named_account(ledger: Ledger, kind: AccountKind) -> Account | Refusal:
    for account in ledger.customer.accounts:
        if account.account == kind:
            return account
    names = " and ".join(title(account.account) for account in ledger.customer.accounts)
    return Refusal(f"There is no {title(kind)} account. There is: {names}.", NOT_FOUND)


def stands(ledger: Ledger, move_id: str) -> bool:
    """Whether a move is past undoing: it brought money that is not there any more."""
    move = ledger.moves.find(move_id)
    account = named_account(ledger, move.account) if move else None
    return bool(move and isinstance(account, Account) and move.amount > ledger.available(account))


def title(kind: AccountKind) -> str:
    return kind.capitalize()
