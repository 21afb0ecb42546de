"""The bank's policy as numbered rules.

The agent's instructions, the tools' refusals and docs/reference/policy-bank.md all use these rules. Every figure comes
from the constant that the code enforces.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.tools.bank.cards.contract import CASH_LIMIT_MAX, DAY_LIMIT_MAX, REPLACEMENT_DAYS, REPLACEMENTS_MAX
from services.tools.bank.disputes.contract import (
    DAYS_MAX,
    INSTANT_CREDIT_MAX,
    INSTANT_CREDITS_A_YEAR,
    OPEN_MAX,
    RECORDS_MAX,
    REMEMBERED_DAYS,
)
from services.tools.bank.loan_applications.contract import (
    AMOUNT_MAX,
    AMOUNT_MIN,
    AUTOMATIC_MAX,
    BURDEN_BAD_PERCENT,
    GAMBLING_BAD_PERCENT,
    TERM_MAX_MONTHS,
    TERM_MIN_MONTHS,
)
from services.tools.bank.loans.contract import EARLY_MIN, FEE_PERCENT, FEE_SHORT_PERCENT, SHORT_PAYMENTS
from services.tools.bank.transfers.contract import DAY_MAX, TRANSFER_MAX
from switchboard.builtin.identity.contract import LOCKED_FOR, TRIES_MAX, WRONG_A_DAY_MAX

Binding = Literal["always", "policy", "automatic"]
"""`always`: violations are refused whatever POLICY is set to. `policy`: violations are refused while POLICY=enforce.
`automatic`: describes what the tools do by themselves, so there is nothing to refuse."""


@dataclass(frozen=True)
class Rule:
    """One written rule, and how it is enforced."""

    number: str
    text: str
    binding: Binding


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


RULES = (
    Rule(
        "I1",
        "Unauthenticated customers cannot see or change anything until they have signed in or "
        "verified two of: date of birth, e-mail address, phone number, postal address. If one fact "
        "is wrong, the attempt fails.",
        "always",
    ),
    Rule(
        "I2",
        f"After {TRIES_MAX} failed attempts in a conversation, the next one is accepted "
        f"{LOCKED_FOR.seconds // 60} minutes later. After {WRONG_A_DAY_MAX} for one customer within a "
        "day, it is accepted a day later.",
        "automatic",
    ),
    Rule(
        "A1",
        "No order can exceed the overdraft limit of an account. A loan payment is always debited on "
        "its due date, even if the balance is too low.",
        "always",
    ),
    Rule(
        "T1",
        f"A transfer to another person can be at most {money(TRANSFER_MAX)}.",
        "policy",
    ),
    Rule(
        "T2",
        f"Transfers to other people can total at most {money(DAY_MAX)} per currency and day (UTC), "
        "from all accounts and with scheduled transfers and standing orders.",
        "policy",
    ),
    Rule(
        "T3",
        "At this bank, the recipient's name must match the account holder's name, also in lookups by "
        "IBAN or customer id. If it does not, neither the holder nor the currency is disclosed. At "
        "other banks, the name is not checked.",
        "always",
    ),
    Rule(
        "T4",
        "An IBAN must have the length that its country requires and valid check digits.",
        "always",
    ),
    Rule(
        "T5",
        "The amount must be in the currency of both accounts. There is no currency conversion.",
        "always",
    ),
    Rule(
        "S1",
        "Scheduled transfers and each transfer of a standing order are checked on the day they are "
        "due. If one fails, the customer is notified. The standing order continues.",
        "automatic",
    ),
    Rule(
        "C1",
        f"The daily limit of a card can be at most {money(DAY_LIMIT_MAX)}.",
        "policy",
    ),
    Rule(
        "C2",
        f"The daily cash limit of a card can be at most {money(CASH_LIMIT_MAX)}.",
        "policy",
    ),
    Rule(
        "C3",
        "The daily cash limit of a card cannot exceed its daily limit.",
        "policy",
    ),
    Rule(
        "C4",
        "A replaced card can no longer be used or changed.",
        "always",
    ),
    Rule(
        "C5",
        f"At most {REPLACEMENTS_MAX} cards of a customer can be replaced within {REPLACEMENT_DAYS} days.",
        "policy",
    ),
    Rule(
        "L1",
        f"A loan can be between {money(AMOUNT_MIN)} and {money(AMOUNT_MAX)}. With what is still owed "
        f"on other personal loans, it can be at most {money(AMOUNT_MAX)}.",
        "policy",
    ),
    Rule("L2", f"The term of a loan is {TERM_MIN_MONTHS} to {TERM_MAX_MONTHS} months.", "policy"),
    Rule(
        "L3",
        "A customer with overdue loan payments cannot get another loan.",
        "policy",
    ),
    Rule(
        "L4",
        f"All loan payments together can be at most {BURDEN_BAD_PERCENT} % of the monthly income. "
        "Without a salary in the last ninety days, no loan is granted.",
        "policy",
    ),
    Rule("L5", f"No loan is granted if gambling is more than {GAMBLING_BAD_PERCENT} % of the spending.", "policy"),
    Rule(
        "L6",
        "Staff decide on a loan that is, with what is still owed on other personal loans, more than "
        f"{money(AUTOMATIC_MAX)}, and on unclear cases.",
        "automatic",
    ),
    Rule(
        "L7",
        "Overdue payments must be paid before a loan can be repaid early.",
        "policy",
    ),
    Rule(
        "L8",
        f"An early repayment must be at least {money(EARLY_MIN)}, or the whole balance.",
        "policy",
    ),
    Rule(
        "L9",
        f"The fee for an early repayment is {FEE_PERCENT} % of its amount, or {FEE_SHORT_PERCENT} % "
        f"if at most {SHORT_PAYMENTS} payments are left, but never more than the interest saved. The "
        "monthly payment stays the same and the loan ends sooner.",
        "always",
    ),
    Rule(
        "L10",
        "A customer can have one open loan application at a time.",
        "always",
    ),
    Rule("D1", "Only card payments can be disputed.", "policy"),
    Rule("D2", f"A payment can be disputed within {DAYS_MAX} days after it was booked.", "policy"),
    Rule(
        "D3",
        "The disputed amount cannot exceed the payment.",
        "always",
    ),
    Rule(
        "D4",
        "A payment can be disputed only once, or again if staff did not decide in time.",
        "policy",
    ),
    Rule(
        "D5",
        f"Disputes of up to {money(INSTANT_CREDIT_MAX)} are credited immediately, at most "
        f"{INSTANT_CREDITS_A_YEAR} times a year. Staff decide all others.",
        "automatic",
    ),
    Rule(
        "D6",
        f"A customer can have at most {OPEN_MAX} open disputes, and open at most {RECORDS_MAX} within "
        f"{REMEMBERED_DAYS} days.",
        "always",
    ),
)


def as_text() -> str:
    """Return the rules for an agent's instructions, one per line."""
    return "\n".join(f"- {rule.text}" for rule in RULES)
