"""A plain model of the bank's rules, written from docs/reference/policy-bank.md and the demo data.

It shares no code with the tools: it is a second opinion on what each call does. A customer is a few dicts.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from switchboard.testing import JSON
from tests.generated.outcomes import (
    UNFIT,
    UNKNOWN,
    Asked,
    Done,
    Outcome,
    Refused,
    money,
    name_of_new,
    note_new,
    refused,
)

CENT = Decimal("0.01")
TRANSFER_MAX, DAY_MAX = Decimal(5000), Decimal(10_000)
CARD_DAY_MAX, CARD_CASH_MAX, REPLACEMENTS_MAX = Decimal(10_000), Decimal(1500), 5
LOAN_MIN, LOAN_MAX, LOAN_AUTOMATIC_MAX = Decimal(500), Decimal(100_000), Decimal(5000)
BURDEN_MAX, BURDEN_AUTOMATIC_MAX = Decimal("0.50"), Decimal("0.35")
TERM_MIN_MONTHS, TERM_MAX_MONTHS, RATE_PERCENT = 6, 120, Decimal("6.90")
DISPUTE_DAYS_MAX, INSTANT_CREDIT_MAX, INSTANT_CREDITS_MAX = 120, Decimal(25), 3
EARLY_MIN, EARLY_FEE = Decimal(100), Decimal("0.01")
CARD_CATEGORIES = {
    *("groceries", "restaurants", "shopping", "health", "travel", "gambling", "cash_withdrawals", "subscriptions"),
}


@dataclass
class Account:
    currency: str
    balance: Decimal
    overdraft: Decimal = Decimal(0)


@dataclass
class PaymentCard:
    account: str
    day: Decimal
    cash: Decimal
    status: str = "active"


@dataclass
class Order:
    """A scheduled transfer or a standing order."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class BookedPayment:
    """A payment of the demo data, as list_transactions returns it."""

    amount: Decimal
    currency: str
    category: str
    days_ago: int
    merchant: str


@dataclass
class Bank:
    """One customer of the bank, and everything that their calls may change.

    `payees` are the customers of this bank who can be paid, with their names; `received` is what they got.
    """

    customer_id: str
    payees: dict[str, str]
    payments: dict[str, BookedPayment]
    accounts: dict[str, Account] = field(default_factory=dict)
    cards: dict[str, PaymentCard] = field(default_factory=dict)
    income: Decimal = Decimal(0)
    loan_payments: Decimal = Decimal(0)
    overdue: bool = False
    gambles: bool = False
    open_loan: str = ""
    closed_loan: str = ""
    received: dict[str, Decimal] = field(default_factory=dict)
    sent_outside: list[Decimal] = field(default_factory=list)
    sent_today: dict[str, Decimal] = field(default_factory=dict)
    moved: dict[str, Decimal] = field(default_factory=dict)
    scheduled: dict[str, Order] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    last_number: dict[str, int] = field(default_factory=lambda: {"T": 0, "S": 0})
    applications: list[str] = field(default_factory=list)
    lent: Decimal = Decimal(0)
    disputed: dict[str, str] = field(default_factory=dict)
    instant_credits: int = 0
    replaced: int = 0
    repayments: int = 0
    emails: int = 0

    # What a call breaks, asks and does.

    def ask(self, tool: str, given: JSON) -> Refused | Asked | None:
        """Return the refusal or the question of a call; None if it is made without a question."""
        question = QUESTIONS.get(tool)
        if question is None:
            return None
        return self.broken(tool, given) or Asked(tuple(question(self, given)))

    def make(self, tool: str, given: JSON) -> Outcome:
        """Make a call that may be made, and return its outcome."""
        return self.broken(tool, given) or Done(EFFECTS[tool](self, given))

    def broken(self, tool: str, given: JSON) -> Refused | None:
        """Return the refusal of a call with every rule that it breaks; None if it may be made."""
        return refused(RULES.get(tool, no_rules)(self, given))

    # The accounts.

    def book(self, account: str, amount: Decimal) -> Decimal:
        """Book an amount on an own account. Returns the new balance."""
        self.accounts[account].balance += amount
        self.moved[account] = self.moved.get(account, Decimal(0)) + amount
        return self.accounts[account].balance

    def cannot_pay(self, account: str, amount: Decimal) -> bool:
        found = self.accounts[account]
        return found.balance + found.overdraft < amount


Breaks = Iterator[str]


def no_rules(_: Bank, given: JSON) -> Breaks:
    yield from ()


def amount_of(given: JSON, name: str = "amount") -> Decimal:
    return Decimal(given[name])


def unfit_amount(given: JSON, name: str = "amount", lowest: Decimal = CENT) -> bool:
    """Return whether an amount is too small or has fractions of a cent."""
    try:
        amount = Decimal(given[name])
    except InvalidOperation:
        return True
    return amount < lowest or amount != amount.quantize(CENT)


def account_of(given: JSON) -> str:
    return str(given.get("account", "checking"))


# Transfers.


def is_iban(recipient: str) -> bool:
    return recipient[:2].isupper() and recipient[2:4].isdigit()


def valid_iban(iban: str) -> bool:
    """Return whether the check digits are right (ISO 7064)."""
    digits = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])
    return int(digits) % 97 == 1


def order_breaks(bank: Bank, given: JSON) -> Breaks:
    """The rules that hold when an order is given, whenever it is due."""
    recipient = given["recipient"]
    if unfit_amount(given) or (is_iban(recipient) and not valid_iban(recipient)):
        yield UNFIT
        return
    if amount_of(given) > TRANSFER_MAX:
        yield "T1"
    if account_of(given) not in bank.accounts:
        yield UNKNOWN
    elif bank.accounts[account_of(given)].currency != given["currency"]:
        yield "T5"
    if is_iban(recipient):
        return
    if recipient not in bank.payees:
        yield UNKNOWN
    elif bank.payees[recipient].casefold() != given["recipient_name"].casefold():
        yield "T3"
    elif given["currency"] != "EUR":
        # The payees have only one account.
        yield "T5"


def transfer_breaks(bank: Bank, given: JSON) -> Breaks:
    found = list(order_breaks(bank, given))
    yield from found
    if UNFIT in found or UNKNOWN in found:
        return
    if bank.cannot_pay(account_of(given), amount_of(given)):
        yield "A1"
    if bank.sent_today.get(given["currency"], Decimal(0)) + amount_of(given) > DAY_MAX:
        yield "T2"


def transfer_asks(bank: Bank, given: JSON) -> Iterator[str]:
    yield money(amount_of(given), given["currency"])
    yield given["recipient_name"]
    yield "this bank" if given["recipient"] in bank.payees else "another bank"
    yield account_of(given).split("-")[0].capitalize()


def transfer(bank: Bank, given: JSON) -> JSON:
    amount, currency = amount_of(given), given["currency"]
    bank.sent_today[currency] = bank.sent_today.get(currency, Decimal(0)) + amount
    if given["recipient"] in bank.payees:
        bank.received[given["recipient"]] = bank.received.get(given["recipient"], Decimal(0)) + amount
    else:
        bank.sent_outside.append(amount)
    balance = bank.book(account_of(given), -amount)
    return {"amount": amount, "currency": currency, "account": account_of(given), "balance": balance}


def move_breaks(bank: Bank, given: JSON) -> Breaks:
    if unfit_amount(given) or given["source"] == given["target"]:
        yield UNFIT
        return
    names = (given["source"], given["target"])
    if any(name not in bank.accounts for name in names):
        yield UNKNOWN
        return
    if any(bank.accounts[name].currency != given["currency"] for name in names):
        yield "T5"
    if bank.cannot_pay(given["source"], amount_of(given)):
        yield "A1"


def move_asks(_: Bank, given: JSON) -> Iterator[str]:
    yield money(amount_of(given), given["currency"])
    yield f"from your {given['source'].split('-')[0].capitalize()}"
    yield f"to your {given['target'].split('-')[0].capitalize()}"


def move(bank: Bank, given: JSON) -> JSON:
    bank.book(given["target"], amount_of(given))
    return {"balance": bank.book(given["source"], -amount_of(given)), "account": given["source"]}


# Scheduled transfers and standing orders.


def later_breaks(bank: Bank, given: JSON) -> Breaks:
    yield from order_breaks(bank, given)
    day = dt.date.fromisoformat(given.get("on") or given["starts"])
    if day < dt.datetime.now(dt.UTC).date():
        yield UNKNOWN


def next_id(bank: Bank, letter: str) -> str:
    bank.last_number[letter] += 1
    return f"{letter}{bank.last_number[letter]}"


def schedule(bank: Bank, given: JSON) -> JSON:
    own_id = next_id(bank, "T")
    bank.scheduled[own_id] = Order(amount_of(given), given["currency"])
    return {"scheduled": {"schedule_id": own_id, "amount": amount_of(given), "currency": given["currency"]}}


def unschedule_breaks(bank: Bank, given: JSON) -> Breaks:
    if given["schedule_id"] not in bank.scheduled:
        yield UNKNOWN


def unschedule(bank: Bank, given: JSON) -> JSON:
    gone = bank.scheduled.pop(given["schedule_id"])
    return {"scheduled": {"schedule_id": given["schedule_id"], "amount": gone.amount}}


def create_order(bank: Bank, given: JSON) -> JSON:
    own_id = next_id(bank, "S")
    bank.orders[own_id] = Order(amount_of(given), given["currency"])
    return {"order": {"order_id": own_id, "amount": amount_of(given), "every": given["every"]}}


def order_asks(bank: Bank, given: JSON) -> Iterator[str]:
    yield from transfer_asks(bank, given)
    yield f"every {given['every']}"


def change_breaks(bank: Bank, given: JSON) -> Breaks:
    if unfit_amount(given):
        yield UNFIT
        return
    if given["order_id"] not in bank.orders:
        yield UNKNOWN
        return
    if bank.orders[given["order_id"]].currency != given["currency"]:
        yield "T5"
    if amount_of(given) > TRANSFER_MAX:
        yield "T1"


def change_asks(bank: Bank, given: JSON) -> Iterator[str]:
    yield given["order_id"]
    now = bank.orders[given["order_id"]]
    yield f"{money(amount_of(given), given['currency'])} instead of {money(now.amount, now.currency)}"


def change_order(bank: Bank, given: JSON) -> JSON:
    bank.orders[given["order_id"]].amount = amount_of(given)
    return {"order": {"order_id": given["order_id"], "amount": amount_of(given)}}


def no_order(bank: Bank, given: JSON) -> Breaks:
    if given["order_id"] not in bank.orders:
        yield UNKNOWN


def cancel_asks(bank: Bank, given: JSON) -> Iterator[str]:
    yield f"Cancel your standing order {given['order_id']}"
    found = bank.orders[given["order_id"]]
    yield money(found.amount, found.currency)


def cancel_order(bank: Bank, given: JSON) -> JSON:
    gone = bank.orders.pop(given["order_id"])
    return {"order": {"order_id": given["order_id"], "amount": gone.amount}}


# Cards.


def card_breaks(bank: Bank, given: JSON) -> Breaks:
    found = bank.cards.get(given["card_id"])
    if found is None:
        yield UNKNOWN
    elif found.status == "replaced":
        yield "C4"


def unfreeze_breaks(bank: Bank, given: JSON) -> Breaks:
    yield from card_breaks(bank, given)


def freeze(bank: Bank, given: JSON) -> JSON:
    bank.cards[given["card_id"]].status = "frozen"
    return {"card": {"card_id": given["card_id"], "status": "frozen"}}


def unfreeze(bank: Bank, given: JSON) -> JSON:
    bank.cards[given["card_id"]].status = "active"
    return {"card": {"card_id": given["card_id"], "status": "active"}}


def card_asks(_: Bank, given: JSON) -> Iterator[str]:
    yield given["card_id"]


def replace_breaks(bank: Bank, given: JSON) -> Breaks:
    yield from card_breaks(bank, given)
    if bank.replaced >= REPLACEMENTS_MAX:
        yield "C5"


def replace_card(bank: Bank, given: JSON) -> JSON:
    """Replace a card. The new card's id is known when the mesh has said it: see `note_new_card`."""
    old = bank.cards[given["card_id"]]
    old.status = "replaced"
    bank.replaced += 1
    bank.emails += 1
    bank.cards[name_of_new(bank.cards)] = PaymentCard(old.account, old.day, old.cash)
    return {"card": {"account": old.account, "status": "active", "day_limit": old.day, "cash_limit": old.cash}}


def limit_breaks(bank: Bank, given: JSON) -> Breaks:
    names = [name for name in ("day_limit", "cash_limit") if name in given]
    if not names or any(unfit_amount(given, name, Decimal(0)) for name in names):
        yield UNFIT
        return
    broken = list(card_breaks(bank, given))
    yield from broken
    if broken:
        return
    card = bank.cards[given["card_id"]]
    if bank.accounts[card.account].currency != given["currency"]:
        yield "T5"
    day, cash = Decimal(given.get("day_limit", card.day)), Decimal(given.get("cash_limit", card.cash))
    if day > CARD_DAY_MAX:
        yield "C1"
    if cash > CARD_CASH_MAX:
        yield "C2"
    if cash > day:
        yield "C3"


def limit_asks(bank: Bank, given: JSON) -> Iterator[str]:
    card = bank.cards[given["card_id"]]
    yield given["card_id"]
    for name, now in (("day_limit", card.day), ("cash_limit", card.cash)):
        kept = money(now, given["currency"])
        yield f"{money(Decimal(given[name]), given['currency'])} instead of {kept}" if name in given else kept


def change_limits(bank: Bank, given: JSON) -> JSON:
    card = bank.cards[given["card_id"]]
    card.day = Decimal(given.get("day_limit", card.day))
    card.cash = Decimal(given.get("cash_limit", card.cash))
    return {"card": {"card_id": given["card_id"], "day_limit": card.day, "cash_limit": card.cash}}


# Loans.


def monthly_payment(amount: Decimal, months: int) -> Decimal:
    """Return the equal monthly payment of a loan at the bank's rate."""
    rate = RATE_PERCENT / 1200
    return (amount * rate / (1 - (1 + rate) ** -months)).quantize(CENT, ROUND_HALF_EVEN)


def loan_breaks(bank: Bank, given: JSON) -> Breaks:
    if unfit_amount(given) or given["term_months"] < 1:
        yield UNFIT
        return
    if not LOAN_MIN <= amount_of(given) <= LOAN_MAX:
        yield "L1"
    if not TERM_MIN_MONTHS <= given["term_months"] <= TERM_MAX_MONTHS:
        yield "L2"
    if "waiting_for_staff" in bank.applications:
        yield "L10"


def loan_asks(_: Bank, given: JSON) -> Iterator[str]:
    yield f"{amount_of(given):,.2f}"
    yield f"{given['term_months']} months"
    yield f"{RATE_PERCENT} %"
    yield f"{monthly_payment(amount_of(given), given['term_months']):,.2f}"
    yield given["purpose"]


def apply_for_loan(bank: Bank, given: JSON) -> JSON:
    """Apply, and decide: the play waits for the decision before its next step."""
    amount, payment = amount_of(given), monthly_payment(amount_of(given), given["term_months"])
    burden = bank.loan_payments + payment
    too_much = amount + bank.lent > LOAN_MAX or burden > bank.income * BURDEN_MAX
    if bank.overdue or bank.gambles or too_much:
        bank.applications.append("declined")
    elif amount + bank.lent > LOAN_AUTOMATIC_MAX or burden > bank.income * BURDEN_AUTOMATIC_MAX:
        bank.applications.append("waiting_for_staff")
    else:
        bank.applications.append("approved")
        bank.lent += amount
        bank.loan_payments += payment
        bank.book("checking", amount)
    return {"amount": amount, "offer": {"monthly_payment": payment, "annual_rate_percent": RATE_PERCENT}}


def repay_breaks(bank: Bank, given: JSON) -> Breaks:
    if unfit_amount(given) or unfit_amount(given, "fee", Decimal(0)):
        yield UNFIT
        return
    if given["loan_id"] not in (bank.open_loan, bank.closed_loan) or given["loan_id"] == bank.closed_loan:
        yield UNKNOWN
        return
    if amount_of(given) < EARLY_MIN:
        yield "L8"
    if amount_of(given, "fee") != (amount_of(given) * EARLY_FEE).quantize(CENT):
        yield "L9"
    if given["currency"] != "EUR":
        yield "T5"
    if bank.cannot_pay("checking", amount_of(given) + amount_of(given, "fee")):
        yield "A1"


def repay_asks(_: Bank, given: JSON) -> Iterator[str]:
    amount, fee = amount_of(given), amount_of(given, "fee")
    yield from (money(one, given["currency"]) for one in (amount, fee, amount + fee))
    yield given["loan_id"]


def repay(bank: Bank, given: JSON) -> JSON:
    bank.repayments += 1
    amount, fee = amount_of(given), amount_of(given, "fee")
    return {"amount": amount, "fee": fee, "balance": bank.book("checking", -(amount + fee))}


# Disputes.


def dispute_breaks(bank: Bank, given: JSON) -> Breaks:
    if unfit_amount(given):
        yield UNFIT
        return
    paid = bank.payments.get(given["transaction_id"])
    if paid is None:
        yield UNKNOWN
        return
    if paid.amount > 0 or paid.category not in CARD_CATEGORIES:
        yield "D1"
    if paid.days_ago > DISPUTE_DAYS_MAX:
        yield "D2"
    if amount_of(given) > abs(paid.amount):
        yield "D3"
    if paid.currency != given["currency"]:
        yield "T5"
    if given["transaction_id"] in bank.disputed:
        yield "D4"


def dispute_asks(bank: Bank, given: JSON) -> Iterator[str]:
    paid = bank.payments[given["transaction_id"]]
    yield money(amount_of(given), given["currency"])
    yield money(abs(paid.amount), paid.currency)
    yield paid.merchant
    yield given["reason"].replace("_", " ")


def dispute(bank: Bank, given: JSON) -> JSON:
    """Open a dispute, and credit a small one: the play waits for that before its next step."""
    amount = amount_of(given)
    if amount <= INSTANT_CREDIT_MAX and bank.instant_credits < INSTANT_CREDITS_MAX:
        bank.instant_credits += 1
        bank.disputed[given["transaction_id"]] = "accepted"
        bank.book("checking", amount)
    else:
        bank.disputed[given["transaction_id"]] = "waiting_for_staff"
    return {"transaction_id": given["transaction_id"], "amount": amount, "reason": given["reason"]}


# Reads.


def balances(bank: Bank, _: JSON) -> JSON:
    return {
        "accounts": [
            {"account": name, "balance": one.balance, "available": one.balance + one.overdraft}
            for name, one in bank.accounts.items()
        ]
    }


def cards(bank: Bank, _: JSON) -> JSON:
    return {
        "cards": [
            {"card_id": card_id, "status": one.status, "day_limit": one.day, "cash_limit": one.cash}
            for card_id, one in bank.cards.items()
            if one.status != "replaced"
        ]
    }


def scheduled(bank: Bank, _: JSON) -> JSON:
    return {"scheduled": [{"schedule_id": key, "amount": one.amount} for key, one in bank.scheduled.items()]}


def orders(bank: Bank, _: JSON) -> JSON:
    return {"orders": [{"order_id": key, "amount": one.amount} for key, one in bank.orders.items()]}


Rule = Callable[[Bank, JSON], Breaks]
Question = Callable[[Bank, JSON], Iterator[str]]
Effect = Callable[[Bank, JSON], JSON]

RULES: dict[str, Rule] = {
    "transfer_money": transfer_breaks,
    "move_between_own_accounts": move_breaks,
    "schedule_transfer": later_breaks,
    "cancel_scheduled": unschedule_breaks,
    "create_standing_order": later_breaks,
    "change_standing_order": change_breaks,
    "cancel_standing_order": no_order,
    "freeze_card": card_breaks,
    "unfreeze_card": unfreeze_breaks,
    "replace_card": replace_breaks,
    "change_card_limits": limit_breaks,
    "apply_for_loan": loan_breaks,
    "repay_loan_early": repay_breaks,
    "open_dispute": dispute_breaks,
}
QUESTIONS: dict[str, Question] = {
    "transfer_money": transfer_asks,
    "move_between_own_accounts": move_asks,
    "schedule_transfer": transfer_asks,
    "create_standing_order": order_asks,
    "change_standing_order": change_asks,
    "cancel_standing_order": cancel_asks,
    "unfreeze_card": card_asks,
    "replace_card": card_asks,
    "change_card_limits": limit_asks,
    "apply_for_loan": loan_asks,
    "repay_loan_early": repay_asks,
    "open_dispute": dispute_asks,
}
EFFECTS: dict[str, Effect] = {
    "transfer_money": transfer,
    "move_between_own_accounts": move,
    "schedule_transfer": schedule,
    "cancel_scheduled": unschedule,
    "create_standing_order": create_order,
    "change_standing_order": change_order,
    "cancel_standing_order": cancel_order,
    "freeze_card": freeze,
    "unfreeze_card": unfreeze,
    "replace_card": replace_card,
    "change_card_limits": change_limits,
    "apply_for_loan": apply_for_loan,
    "repay_loan_early": repay,
    "open_dispute": dispute,
    "get_balance": balances,
    "list_cards": cards,
    "list_scheduled": scheduled,
    "list_standing_orders": orders,
}


def note_new_card(bank: Bank, card_id: str) -> None:
    """Give the card that replaces another one its id."""
    note_new(bank.cards, card_id)


def carol(customer_id: str, **more: Any) -> Bank:
    return Bank(
        customer_id,
        accounts={
            "checking": Account("EUR", Decimal("5872.15"), Decimal(3000)),
            "savings": Account("EUR", Decimal(42300)),
            "checking-usd": Account("USD", Decimal("1850.25")),
        },
        cards={
            "CD-6308": PaymentCard("checking", Decimal(5000), Decimal(1000)),
            "CD-7781": PaymentCard("checking-usd", Decimal(2500), Decimal(500)),
        },
        income=Decimal(5460),
        loan_payments=Decimal("1150.63"),
        open_loan="LN-1120",
        closed_loan="LN-1544",
        **more,
    )


def dave(customer_id: str, **more: Any) -> Bank:
    return Bank(
        customer_id,
        accounts={"checking": Account("EUR", Decimal("-312.55"), Decimal(400))},
        cards={"CD-7701": PaymentCard("checking", Decimal(500), Decimal(300))},
        income=Decimal(1890),
        loan_payments=Decimal("190.52"),
        overdue=True,
        gambles=True,
        **more,
    )


def erin(customer_id: str, **more: Any) -> Bank:
    return Bank(
        customer_id,
        accounts={
            "checking": Account("GBP", Decimal("1204.37")),
            "savings": Account("GBP", Decimal(3600)),
            "checking-usd": Account("USD", Decimal(240)),
        },
        cards={"CD-6819": PaymentCard("checking", Decimal(800), Decimal(250))},
        income=Decimal(1620),
        **more,
    )


CUSTOMERS = {"carol": carol, "dave": dave, "erin": erin}
