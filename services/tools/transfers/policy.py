"""Which transfers this bank makes, and what each books on the two accounts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.tools.accounts.contract import AccountKind, Moved, MoveMoney, Withdraw
from services.tools.demo_data.bank import Account, Customer
from services.tools.refusal import NOT_FOUND, Refusal
from services.tools.transfers.contract import (
    OwnTransferRequest,
    Recipient,
    RecipientQuery,
    Transferred,
    TransferRequest,
    canonical,
    masked,
    quoted,
)
from switchboard.money import spell

TRANSFER_MAX = Decimal("5000.00")
"""To somebody else, at once; in the currency of the account."""

DAY_MAX = Decimal("10000.00")
"""To others on one day (UTC); in the currency of the account."""

Customers = Mapping[str, Customer]


@dataclass(frozen=True)
class Order:
    """A transfer that may be made, if the money is there. `target` is the recipient's account."""

    payer: Customer
    source: AccountKind
    recipient: Customer
    target: AccountKind
    amount: Decimal
    currency: str
    reference: str = ""

    @property
    def own(self) -> bool:
        return self.payer.customer_id == self.recipient.customer_id

    @property
    def recipient_words(self) -> str:
        return f"your {self.target.capitalize()}" if self.own else self.recipient.name

    def withdrawal(self, move_id: str) -> Withdraw:
        return Withdraw(
            move_id=move_id,
            account=self.source,
            amount=self.amount,
            currency=self.currency,
            counterparty=f"Own {self.target}" if self.own else self.recipient.name,
            category="transfers",
            reference=self.reference,
            day_limit=None if self.own else DAY_MAX,
        )

    def deposit(self, move_id: str) -> MoveMoney:
        return MoveMoney(
            move_id=move_id,
            account=self.target,
            amount=self.amount,
            currency=self.currency,
            counterparty=f"Own {self.source}" if self.own else self.payer.name,
            category="transfers",
            reference=self.reference,
        )


def find_recipient(customers: Customers, query: RecipientQuery) -> Recipient | Refusal:
    """The customer who is meant. Only a full name finds somebody: this is not a directory to leaf through."""
    wanted = query.recipient
    found = [customer for customer in customers.values() if same_name(customer.name, wanted)]
    by_id = holder(customers, canonical(wanted))
    if by_id is not None:
        found = [by_id[0]]
    if len(found) != 1:
        return Refusal(
            f"No customer of this bank is known as {wanted!r}. Ask for the full name or the IBAN; money can only be"
            " sent to customers of this bank.",
            NOT_FOUND,
        )
    (customer,) = found
    recipient = canonical(wanted) if by_id is not None else customer.customer_id
    account = by_id[1] if by_id is not None else customer.accounts[0]
    return Recipient(
        summary=f"{customer.name}, account {masked(account.iban)}, takes {customer.currency}.",
        recipient=recipient,
        recipient_name=customer.name,
        currency=customer.currency,
    )


def judge_transfer(customers: Customers, request: TransferRequest) -> Order | Refusal:
    """The transfer to be made. Whether there is enough money only the account knows."""
    payer = customers.get(request.customer_id)
    if payer is None:
        return Refusal("You have no account at this bank.", NOT_FOUND)
    found = holder(customers, request.recipient)
    if found is None:
        return Refusal(f"{request.recipient} is no customer and no account of this bank. Check it.", NOT_FOUND)
    recipient, target = found
    if not same_name(recipient.name, request.recipient_name):
        return Refusal(f"{request.recipient} does not belong to {request.recipient_name}. Ask find_recipient.")
    return judge_order(
        Order(
            payer=payer,
            source=request.account,
            recipient=recipient,
            target=target.account,
            amount=request.amount,
            currency=request.currency,
            reference=request.reference,
        )
    )


def judge_own_transfer(customers: Customers, request: OwnTransferRequest) -> Order | Refusal:
    """The move to be made between a customer's own accounts."""
    payer = customers.get(request.customer_id)
    if payer is None:
        return Refusal("You have no account at this bank.", NOT_FOUND)
    return judge_order(Order(payer, request.source, payer, request.target, request.amount, request.currency))


def judge_order(order: Order) -> Order | Refusal:
    for customer, kind, whose in (
        (order.payer, order.source, "You have"),
        (order.recipient, order.target, "You have" if order.own else f"{order.recipient.name} has"),
    ):
        if kind not in {account.account for account in customer.accounts}:
            return Refusal(f"{whose} no {kind.capitalize()} account.", NOT_FOUND)
        if customer.currency != order.currency:
            accounts = f"accounts in {customer.currency}, and money can only be sent in the currency of both sides."
            return Refusal(f"{whose} {accounts}")
    if order.own and order.source == order.target:
        return Refusal(f"Your {order.source.capitalize()} is on both sides of that transfer; name another account.")
    if not order.own and order.amount > TRANSFER_MAX:
        return Refusal(f"At most {spell(TRANSFER_MAX, order.currency)} can be sent at once. Send less, or in parts.")
    return order


def holder(customers: Customers, recipient: str) -> tuple[Customer, Account] | None:
    """Whose that IBAN or customer id is, and the account that takes the money."""
    if recipient in customers:
        customer = customers[recipient]
        return customer, customer.accounts[0]
    for customer in customers.values():
        for account in customer.accounts:
            if account.iban == recipient:
                return customer, account
    return None


def same_name(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def transferred(order: Order, moved: Moved) -> Transferred:
    amount, source = spell(order.amount, order.currency), order.source.capitalize()
    left = f"Your {source} now has {spell(moved.balance, moved.currency)}."
    reference = quoted(order.reference)
    return Transferred(
        summary=f"Sent {amount} from your {source} to {order.recipient_words}{reference}. {left}",
        amount=order.amount,
        currency=order.currency,
        recipient_name=order.recipient.name,
        account=order.source,
        balance=moved.balance,
    )
