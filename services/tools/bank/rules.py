"""The bank's policy in numbered rules, for the agent, for refusals and for docs/reference/policy-bank.md.

Each figure is the one that the code goes by. Values only, no service is known here beyond its contract.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.tools.bank.cards.contract import CASH_LIMIT_MAX, DAY_LIMIT_MAX, REPLACEMENT_DAYS, REPLACEMENTS_MAX
from services.tools.bank.disputes.contract import (
    AT_ONCE_A_YEAR,
    AT_ONCE_MAX,
    DAYS_MAX,
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

Binding = Literal["always", "policy", "course"]
"""`always`: refused whatever POLICY says. `policy`: refused while POLICY=enforce. `course`: what the tools do of
themselves, so that there is nothing to refuse."""


@dataclass(frozen=True)
class Rule:
    """One written rule, and what it is kept by."""

    number: str
    text: str
    binding: Binding


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


RULES = (
    Rule(
        "I1",
        "Nothing of a customer's is shown or done before they are signed in, or have named two right facts out of date"
        " of birth, e-mail, phone and postal address; one that is wrong makes all wrong.",
        "always",
    ),
    Rule(
        "I2",
        f"After {TRIES_MAX} wrong tries in a conversation the next one is taken {LOCKED_FOR.seconds // 60} minutes"
        f" later; after {WRONG_A_DAY_MAX} for one customer within a day, in whatever conversations, a day later.",
        "course",
    ),
    Rule(
        "A1",
        "An account may go below zero as far as its overdraft allows, and no order takes it further. A payment of a"
        " loan is debited on the day it is due, whatever is there.",
        "always",
    ),
    Rule("T1", f"At most {money(TRANSFER_MAX)} can be sent to somebody else at once.", "policy"),
    Rule(
        "T2",
        f"At most {money(DAY_MAX)} in one currency can be sent to others on one day (UTC), from all accounts together,"
        " scheduled transfers and standing orders among them.",
        "policy",
    ),
    Rule(
        "T3",
        "At this bank the recipient's name has to be that of the account's holder, whether money is sent or a recipient"
        " looked up by IBAN or id. Of an account under another name nothing is told, neither whose it is nor its"
        " currency. At another bank the name is not compared.",
        "always",
    ),
    Rule("T4", "An IBAN has the length of its country and right check digits.", "always"),
    Rule("T5", "The amount is in the currency of the accounts on both sides; nothing is exchanged.", "always"),
    Rule(
        "S1",
        "Each transfer of a standing order, and a scheduled one, is judged by these rules on its day. The customer is"
        " told of one that could not be made, and the standing order goes on.",
        "course",
    ),
    Rule("C1", f"A card can be used for at most {money(DAY_LIMIT_MAX)} a day.", "policy"),
    Rule("C2", f"At most {money(CASH_LIMIT_MAX)} a day can be drawn as cash with a card.", "policy"),
    Rule("C3", "A card's limit for cash is not above its limit for a day.", "policy"),
    Rule("C4", "A card that was replaced is dead for good.", "always"),
    Rule(
        "C5",
        f"At most {REPLACEMENTS_MAX} of a customer's cards are replaced within {REPLACEMENT_DAYS} days.",
        "policy",
    ),
    Rule(
        "L1",
        f"Loans are from {money(AMOUNT_MIN)} to {money(AMOUNT_MAX)}; with what is still owed on personal loans, no more"
        f" than {money(AMOUNT_MAX)} either.",
        "policy",
    ),
    Rule("L2", f"Loans run for {TERM_MIN_MONTHS} to {TERM_MAX_MONTHS} months.", "policy"),
    Rule("L3", "Nobody gets a loan while payments of another one are overdue.", "policy"),
    Rule(
        "L4",
        f"The payments of all loans together are at most {BURDEN_BAD_PERCENT} % of the monthly income; without a salary"
        " in the last ninety days there is no loan.",
        "policy",
    ),
    Rule("L5", f"There is no loan where gambling is more than {GAMBLING_BAD_PERCENT} % of the spending.", "policy"),
    Rule(
        "L6",
        f"More than {money(AUTOMATIC_MAX)}, with what is still owed on personal loans, is lent on a decision of staff"
        " only.",
        "course",
    ),
    Rule("L7", "What is overdue on a loan is paid before more of it is repaid early.", "policy"),
    Rule("L8", f"At least {money(EARLY_MIN)} is repaid early, or all that is outstanding.", "policy"),
    Rule(
        "L9",
        f"An early repayment costs {FEE_PERCENT} % of its amount, or {FEE_SHORT_PERCENT} % when at most"
        f" {SHORT_PAYMENTS} payments are left, and never more than the interest that it saves. The monthly payment"
        " stays, the loan ends sooner.",
        "always",
    ),
    Rule("L10", "A customer has one application at a time; the next is taken when it is decided.", "always"),
    Rule("D1", "Only card payments can be disputed.", "policy"),
    Rule("D2", f"A payment can be disputed for {DAYS_MAX} days after it was booked.", "policy"),
    Rule("D3", "No more of a payment is disputed than was paid.", "always"),
    Rule("D4", "A payment is disputed once; one that staff never came to may be opened again.", "policy"),
    Rule(
        "D5",
        f"Up to {money(AT_ONCE_MAX)}, and {AT_ONCE_A_YEAR} times in a year, a dispute is credited at once; all else is"
        " decided by staff.",
        "course",
    ),
    Rule(
        "D6",
        f"At most {OPEN_MAX} disputes of a customer are open at a time, and {RECORDS_MAX} are opened within"
        f" {REMEMBERED_DAYS} days.",
        "always",
    ),
)


def as_text() -> str:
    """For an agent's instructions: a line for each rule."""
    return "\n".join(f"- {rule.number}: {rule.text}" for rule in RULES)
