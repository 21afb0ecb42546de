"""Validates transfers, and builds the bookings on both accounts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.tools.bank.accounts.contract import IBAN, Moved, MoveMoney, Withdraw, account_phrase, masked_iban
from services.tools.bank.payment_network.contract import OutsidePayment
from services.tools.bank.records import Account, Customer
from services.tools.bank.transfers.contract import (
    DAY_MAX,
    TRANSFER_MAX,
    OwnTransferFacts,
    OwnTransferRequest,
    PayeeBank,
    Recipient,
    RecipientQuery,
    ResolvedTransfer,
    TransferOrder,
    Transferred,
    normalized,
    reference_phrase,
)
from services.tools.bank.transfers.payee import same_name
from switchboard.money import format_amount
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

Customers = Mapping[str, Customer]


@dataclass(frozen=True)
class Payee:
    """The recipient: a customer of this bank with the receiving account, or an IBAN at another bank."""

    name: str
    iban: str
    customer: Customer | None = None
    account: Account | None = None


@dataclass(frozen=True)
class Order:
    """A valid transfer. The balance and the policy rules are not checked yet."""

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
    def payee_bank(self) -> PayeeBank:
        if self.own:
            return "own account"
        return "another bank" if self.outside else "this bank"

    @property
    def recipient_words(self) -> str:
        if self.own and self.payee.account:
            return f"your {account_phrase(self.payee.account.account)}"
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
        """Return the deposit on the payee's account at this bank."""
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
        """Return the payment to the payee's account at another bank."""
        return OutsidePayment(
            payer_name=self.payer.name,
            recipient_name=self.payee.name,
            iban=self.payee.iban,
            amount=self.amount,
            currency=self.currency,
            reference=self.reference,
        )


def find_recipient(customers: Customers, query: RecipientQuery) -> Recipient | Refusal:
    """Return the customer with that full name, so that the bank's customers cannot be browsed.

    The refusal is the same whether or not an account exists.
    """
    wanted, name = normalized(query.recipient), query.recipient_name or query.recipient
    by_iban = at_this_bank(customers, wanted)
    named = [customer for customer in customers.values() if same_name(customer.name, name)]
    if by_iban:
        found = [customer for customer in named if customer.customer_id == by_iban[0].customer_id]
    else:
        # Match by name alone, or by name and customer id.
        by_name = same_name(query.recipient, name)
        found = [customer for customer in named if by_name or customer.customer_id == wanted]
    if len(found) != 1:
        return no_such_recipient(query.recipient, query.recipient_name)
    (customer,) = found
    accounts = (by_iban[1],) if by_iban else customer.accounts
    currencies = tuple(dict.fromkeys(account.currency for account in accounts))
    where = f", account {masked_iban(wanted)}," if by_iban else ""
    return Recipient(
        summary=f"{customer.name}{where} can receive {' and '.join(currencies)}.",
        recipient=wanted if by_iban else customer.customer_id,
        recipient_name=customer.name,
        currencies=currencies,
    )


def no_such_recipient(recipient: str, name: str | None) -> Refusal:
    """Return the refusal for an unknown recipient and for a wrong name, so that both look the same."""
    by_name = f" and the name {name}" if name else ""
    return Refusal(
        f"No customer of this bank matches {recipient!r}{by_name}. Please check the recipient's full name and IBAN. For"
        " an account at another bank, no lookup is needed: its IBAN and the holder's name are enough.",
        NOT_FOUND,
        rule="T3",
    )


def validate_transfer(customers: Customers, request: TransferOrder) -> Order | Refusal:
    """Return the transfer to make. The account checks the balance later."""
    payer = customers.get(request.customer_id)
    if payer is None:
        return Refusal("You have no account at this bank.", NOT_FOUND)
    payee = find_payee(customers, request)
    if isinstance(payee, Refusal):
        return payee
    return build_order(payer, request.account, payee, request.amount, request.currency, request.reference)


def validate_own_transfer(customers: Customers, request: OwnTransferRequest) -> Order | Refusal:
    """Return the transfer to make between a customer's own accounts."""
    payer = customers.get(request.customer_id)
    if payer is None:
        return Refusal("You have no account at this bank.", NOT_FOUND)
    target = payer.find_account(request.target)
    if target is None:
        return Refusal(f"You have no {account_phrase(request.target)}.", NOT_FOUND)
    payee = Payee(payer.name, target.iban, payer, target)
    return build_order(payer, request.source, payee, request.amount, request.currency)


def build_order(
    payer: Customer, source_ref: str, payee: Payee, amount: Decimal, currency: str, reference: str = ""
) -> Order | Refusal:
    source = payer.find_account(source_ref)
    if source is None:
        return Refusal(f"You have no {account_phrase(source_ref)}.", NOT_FOUND)
    own = payee.customer is not None and payee.customer.customer_id == payer.customer_id
    for account, whose in ((source, "Your"), (payee.account, "Your" if own else "The recipient's")):
        if account is not None and account.currency != currency:
            named = f"{whose} {account_phrase(account.account)}" if whose == "Your" else f"{whose} account"
            why = f"{named} is in {account.currency}, but the amount is in {currency}. There is no currency conversion."
            return Refusal(why, rule="T5")
    if payee.account is not None and payee.account.iban == source.iban:
        named = account_phrase(source.account)
        return Refusal(f"Your {named} cannot be both the source and the destination. Please choose another account.")
    return Order(payer, source, payee, amount, currency, reference)


def resolved_transfer(order: Order, request: TransferOrder) -> ResolvedTransfer:
    """Return what a valid transfer does. For an own account, any name was accepted: it gets the customer's own."""
    return ResolvedTransfer(
        account=order.source.account,
        recipient=order.payee.iban if order.own else request.recipient,
        recipient_name=order.payer.name if order.own else request.recipient_name,
        payee_bank=order.payee_bank,
    )


def own_transfer_facts(order: Order, request: OwnTransferRequest) -> OwnTransferFacts:
    """Return the valid transfer with the ids of both accounts."""
    assert order.payee.account is not None
    accounts = {"source": order.source.account, "target": order.payee.account.account}
    return OwnTransferFacts(call=request.model_copy(update=accounts))


def refuse_transfer(order: Order) -> Refusal | None:
    """Refuse a valid transfer that violates a policy rule. The account checks the daily limit later."""
    if not order.own and order.amount > TRANSFER_MAX:
        most = format_amount(TRANSFER_MAX, order.currency)
        why = f"A single transfer can be at most {most}. Please send less, or split it into several transfers."
        return Refusal(why, rule="T1")
    return None


def find_payee(customers: Customers, request: TransferOrder) -> Payee | Refusal:
    """Return the holder of the IBAN or customer id, and the account that receives the money.

    The name is checked first, so that nothing else about another customer's account, such as its currency, is revealed.
    """
    found = at_this_bank(customers, request.recipient)
    if found is None and IBAN.fullmatch(request.recipient):
        return Payee(request.recipient_name, request.recipient)
    holder = found[0] if found else customers.get(request.recipient)
    if holder is None or not name_matches(holder, request):
        return no_such_recipient(request.recipient, request.recipient_name)
    if found is not None:
        return Payee(request.recipient_name, found[1].iban, *found)
    taking = holder.account_in(request.currency)
    if taking is None:
        why = f"{request.recipient_name} has no account in {request.currency} at this bank."
        return Refusal(why, rule="T5")
    return Payee(request.recipient_name, taking.iban, holder, taking)


def name_matches(holder: Customer, request: TransferOrder) -> bool:
    """Return whether the name is the holder's. For the customer's own account, any name is accepted."""
    return holder.customer_id == request.customer_id or same_name(request.recipient_name, holder.name)


def at_this_bank(customers: Customers, iban: str) -> tuple[Customer, Account] | None:
    for customer in customers.values():
        for account in customer.accounts:
            if account.iban == iban:
                return customer, account
    return None


def transferred(order: Order, moved: Moved) -> Transferred:
    amount, source = format_amount(order.amount, order.currency), account_phrase(order.source.account)
    left = f"The new balance of your {source} is {format_amount(moved.balance, moved.currency)}."
    reference = reference_phrase(order.reference)
    return Transferred(
        summary=f"Sent {amount} from your {source} to {order.recipient_words}{reference}. {left}",
        amount=order.amount,
        currency=order.currency,
        recipient_name=order.payee.name,
        account=order.source.account,
        balance=moved.balance,
    )
