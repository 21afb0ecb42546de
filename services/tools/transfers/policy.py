"""Which transfers this bank makes, and what each books on the two accounts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.tools.accounts.contract import IBAN, Moved, MoveMoney, Withdraw, account_title, masked_iban
from services.tools.demo_data.bank import Account, Customer
from services.tools.payment_network.contract import OutsidePayment
from services.tools.refusal import NOT_FOUND, Refusal
from services.tools.transfers.contract import (
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
from services.tools.transfers.payee import match_name, words
from switchboard.money import spell

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
    """The customer who is meant. Only a full name finds somebody: this is not a directory to leaf through."""
    wanted = canonical(query.recipient)
    by_iban = at_this_bank(customers, wanted)
    found = [by_iban[0]] if by_iban else [c for c in customers.values() if c.customer_id == wanted]
    found = found or [customer for customer in customers.values() if same_name(customer.name, query.recipient)]
    if len(found) != 1:
        why = f"No customer of this bank is known as {query.recipient!r}. Ask for the full name or the IBAN."
        if IBAN.fullmatch(wanted):
            why = "This account is at another bank. Ask for the holder's name, and send the money by the IBAN."
        return Refusal(why, NOT_FOUND)
    (customer,) = found
    accounts = (by_iban[1],) if by_iban else customer.accounts
    currencies = tuple(dict.fromkeys(account.currency for account in accounts))
    return Recipient(
        summary=f"{customer.name}, account {masked_iban(accounts[0].iban)}, takes {' and '.join(currencies)}.",
        recipient=wanted if by_iban else customer.customer_id,
        recipient_name=customer.name,
        currencies=currencies,
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
    for account, whose in ((source, "Your"), (payee.account, "Your" if payee.customer is payer else "The recipient's")):
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
    if order.own:
        return None
    if order.payee.customer is not None:
        match match_name(order.payee.name, order.payee.customer.name):
            case "close":
                right = order.payee.customer.name
                return Refusal(f"The account is held by {right}. Give that name, if {right} is meant.", rule="T3")
            case "no_match":
                why = f"That account does not belong to {order.payee.name}. Ask the customer whom they mean."
                return Refusal(why, rule="T3")
    if order.amount > TRANSFER_MAX:
        most = spell(TRANSFER_MAX, order.currency)
        return Refusal(f"At most {most} can be sent at once. Send less, or in parts.", rule="T1")
    return None


def find_payee(customers: Customers, request: TransferRequest) -> Payee | Refusal:
    """Whose that IBAN or customer id is, and the account that takes the money."""
    found = at_this_bank(customers, request.recipient)
    if found is not None:
        customer, account = found
        return Payee(request.recipient_name, account.iban, customer, account)
    if IBAN.fullmatch(request.recipient):
        return Payee(request.recipient_name, request.recipient)
    by_id = customers.get(request.recipient)
    if by_id is None:
        why = f"{request.recipient} is no customer of this bank. Ask for the IBAN, or find the recipient by name."
        return Refusal(why, NOT_FOUND)
    taking = by_id.account_in(request.currency)
    if taking is None:
        why = f"{request.recipient_name} has no account in {request.currency} at this bank."
        return Refusal(why, rule="T5")
    return Payee(request.recipient_name, taking.iban, by_id, taking)


def at_this_bank(customers: Customers, iban: str) -> tuple[Customer, Account] | None:
    for customer in customers.values():
        for account in customer.accounts:
            if account.iban == iban:
                return customer, account
    return None


def same_name(one: str, other: str) -> bool:
    return sorted(words(one)) == sorted(words(other))


def transferred(order: Order, moved: Moved) -> Transferred:
    amount, source = spell(order.amount, order.currency), account_title(order.source.account)
    left = f"Your {source} now has {spell(moved.balance, moved.currency)}."
    reference = quoted(order.reference)
    return Transferred(
        summary=f"Sent {amount} from your {source} to {order.recipient_words}{reference}. {left}",
        amount=order.amount,
        currency=order.currency,
        recipient_name=order.payee.name,
        account=order.source.account,
        balance=moved.balance,
    )
