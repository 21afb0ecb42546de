"""Which transfers this bank makes, and what each books on the two accounts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.tools.bank.accounts.contract import IBAN, Moved, MoveMoney, Withdraw, account_title, masked_iban
from services.tools.bank.payment_network.contract import OutsidePayment
from services.tools.bank.records import Account, Customer
from services.tools.bank.transfers.contract import (
    DAY_MAX,
    TRANSFER_MAX,
    OwnTransferRequest,
    Recipient,
    RecipientQuery,
    Transferred,
    TransferRequest,
    canonical,
    quoted,
)
from services.tools.bank.transfers.payee import same_name
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

Customers = Mapping[str, Customer]


@dataclass(frozen=True)
class Payee:
    """Who is sent money: a customer of this bank and the account that takes it, or else an IBAN at another bank."""

    name: str
    iban: str
    customer: Customer | None = None
    account: Account | None = None


@dataclass(frozen=True)
class Order:
    """A transfer that can be made, if the money is there and the rules allow it."""

    payer: Customer
    source: Account
    payee: Payee
    amount: Decimal
    currency: str
    reference: str = ""

    @property
    def own(self) -> bool:
        return self.payee.customer is not None and self.payee.customer.customer_id == self.payer.customer_id

    @property
    def outside(self) -> bool:
        return self.payee.customer is None

    @property
    def recipient_words(self) -> str:
        if self.own and self.payee.account:
            return f"your {account_title(self.payee.account.account)}"
        return f"{self.payee.name} at another bank" if self.outside else self.payee.name

    def withdrawal(self, move_id: str) -> Withdraw:
        own = self.payee.account.account if self.own and self.payee.account else None
        return Withdraw(
            move_id=move_id,
            account=self.source.account,
            amount=self.amount,
            currency=self.currency,
            counterparty=f"Own {own}" if own else self.payee.name,
            category="transfers",
            reference=self.reference,
            day_limit=None if self.own else DAY_MAX,
        )

    def deposit(self, move_id: str) -> MoveMoney:
        """On the payee's account at this bank."""
        assert self.payee.account is not None
        return MoveMoney(
            move_id=move_id,
            account=self.payee.account.account,
            amount=self.amount,
            currency=self.currency,
            counterparty=f"Own {self.source.account}" if self.own else self.payer.name,
            category="transfers",
            reference=self.reference,
        )

    def payment(self) -> OutsidePayment:
        """To the payee's account at another bank."""
        return OutsidePayment(
            payer_name=self.payer.name,
            recipient_name=self.payee.name,
            iban=self.payee.iban,
            amount=self.amount,
            currency=self.currency,
            reference=self.reference,
        )


def find_recipient(customers: Customers, query: RecipientQuery) -> Recipient | Refusal:
    """The customer who is meant. Only who knows the full name finds somebody: this is no directory to leaf through.

    What is refused is refused in the same words whether there is such an account or not.
    """
    wanted, name = canonical(query.recipient), query.recipient_name or query.recipient
    by_iban = at_this_bank(customers, wanted)
    named = [customer for customer in customers.values() if same_name(customer.name, name)]
    if by_iban:
        found = [customer for customer in named if customer.customer_id == by_iban[0].customer_id]
    else:
        # By the name alone, or by an id that goes with it.
        by_name = same_name(query.recipient, name)
        found = [customer for customer in named if by_name or customer.customer_id == wanted]
    if len(found) != 1:
        return no_such_recipient(query.recipient, query.recipient_name)
    (customer,) = found
    accounts = (by_iban[1],) if by_iban else customer.accounts
    currencies = tuple(dict.fromkeys(account.currency for account in accounts))
    where = f", account {masked_iban(wanted)}," if by_iban else ""
    return Recipient(
        summary=f"{customer.name}{where} takes {' and '.join(currencies)}.",
        recipient=wanted if by_iban else customer.customer_id,
        recipient_name=customer.name,
        currencies=currencies,
    )


def no_such_recipient(recipient: str, name: str | None) -> Refusal:
    """The one answer to whoever does not know a holder's name, or names nobody."""
    by_name = f" by the name of {name}" if name else ""
    return Refusal(
        f"No customer of this bank is known as {recipient!r}{by_name}. Ask the customer for the recipient's full name"
        " and IBAN. An account at another bank is not looked up: send the money by its IBAN and the holder's name.",
        NOT_FOUND,
        rule="T3",
    )


def judge_transfer(customers: Customers, request: TransferRequest) -> Order | Refusal:
    """The transfer as it could be made. Whether there is enough money only the account knows."""
    payer = customers.get(request.customer_id)
    if payer is None:
        return Refusal("You have no account at this bank.", NOT_FOUND)
    payee = find_payee(customers, request)
    if isinstance(payee, Refusal):
        return payee
    return judge_order(payer, request.account, payee, request.amount, request.currency, request.reference)


def judge_own_transfer(customers: Customers, request: OwnTransferRequest) -> Order | Refusal:
    """The move as it could be made between a customer's own accounts."""
    payer = customers.get(request.customer_id)
    if payer is None:
        return Refusal("You have no account at this bank.", NOT_FOUND)
    target = payer.find_account(request.target)
    if target is None:
        return Refusal(f"You have no {account_title(request.target)} account.", NOT_FOUND)
    payee = Payee(payer.name, target.iban, payer, target)
    return judge_order(payer, request.source, payee, request.amount, request.currency)


def judge_order(
    payer: Customer, source_ref: str, payee: Payee, amount: Decimal, currency: str, reference: str = ""
) -> Order | Refusal:
    source = payer.find_account(source_ref)
    if source is None:
        return Refusal(f"You have no {account_title(source_ref)} account.", NOT_FOUND)
    own = payee.customer is not None and payee.customer.customer_id == payer.customer_id
    for account, whose in ((source, "Your"), (payee.account, "Your" if own else "The recipient's")):
        if account is not None and account.currency != currency:
            named = f"{whose} {account_title(account.account)}" if whose == "Your" else f"{whose} account"
            why = f"{named} is in {account.currency}, and this is an amount in {currency}: nothing is exchanged."
            return Refusal(why, rule="T5")
    if payee.account is not None and payee.account.iban == source.iban:
        named = account_title(source.account)
        return Refusal(f"Your {named} is on both sides of that transfer; name another account.")
    return Order(payer, source, payee, amount, currency, reference)


def refuse_transfer(order: Order) -> Refusal | None:
    """What the written rules say of a transfer that could be made; the limit of the day is the account's to judge."""
    if not order.own and order.amount > TRANSFER_MAX:
        most = format_amount(TRANSFER_MAX, order.currency)
        return Refusal(f"At most {most} can be sent at once. Send less, or in parts.", rule="T1")
    return None


def find_payee(customers: Customers, request: TransferRequest) -> Payee | Refusal:
    """Whose that IBAN or customer id is, and the account that takes the money.

    The name is compared before anything else is said of a stranger's account, such as its currency.
    """
    found = at_this_bank(customers, request.recipient)
    if found is None and IBAN.fullmatch(request.recipient):
        return Payee(request.recipient_name, request.recipient)
    holder = found[0] if found else customers.get(request.recipient)
    if holder is None or not goes_by(holder, request):
        return no_such_recipient(request.recipient, request.recipient_name)
    if found is not None:
        return Payee(request.recipient_name, found[1].iban, *found)
    taking = holder.account_in(request.currency)
    if taking is None:
        why = f"{request.recipient_name} has no account in {request.currency} at this bank."
        return Refusal(why, rule="T5")
    return Payee(request.recipient_name, taking.iban, holder, taking)


def goes_by(holder: Customer, request: TransferRequest) -> bool:
    """Whether the name is the holder's; one's own account can be called as one likes."""
    return holder.customer_id == request.customer_id or same_name(request.recipient_name, holder.name)


def at_this_bank(customers: Customers, iban: str) -> tuple[Customer, Account] | None:
    for customer in customers.values():
        for account in customer.accounts:
            if account.iban == iban:
                return customer, account
    return None


def transferred(order: Order, moved: Moved) -> Transferred:
    amount, source = format_amount(order.amount, order.currency), account_title(order.source.account)
    left = f"Your {source} now has {format_amount(moved.balance, moved.currency)}."
    reference = quoted(order.reference)
    return Transferred(
        summary=f"Sent {amount} from your {source} to {order.recipient_words}{reference}. {left}",
        amount=order.amount,
        currency=order.currency,
        recipient_name=order.payee.name,
        account=order.source.account,
        balance=moved.balance,
    )
