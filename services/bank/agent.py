"""The bank agent: accounts and cards, transfers now, later and again and again, loans, disputes, reminders."""

from services.tools.bank.accounts.contract import COMPARE_MONTHS, GET_BALANCE, LIST_TRANSACTIONS, SUMMARIZE_SPENDING
from services.tools.bank.cards.contract import CHANGE_CARD_LIMITS, FREEZE_CARD, LIST_CARDS, REPLACE_CARD, UNFREEZE_CARD
from services.tools.bank.disputes.contract import LIST_DISPUTES, OPEN_DISPUTE
from services.tools.bank.loan_applications.contract import APPLY_FOR_LOAN, GET_LOAN_APPLICATION, LIST_LOAN_APPLICATIONS
from services.tools.bank.loans.contract import GET_LOAN_SCHEDULE, LIST_LOANS, QUOTE_EARLY_REPAYMENT, REPAY_LOAN_EARLY
from services.tools.bank.rules import as_text
from services.tools.bank.standing_orders.contract import (
    CANCEL_STANDING_ORDER,
    CHANGE_STANDING_ORDER,
    CREATE_STANDING_ORDER,
    LIST_STANDING_ORDERS,
)
from services.tools.bank.transfers.contract import (
    CANCEL_SCHEDULED,
    FIND_RECIPIENT,
    LIST_SCHEDULED,
    MOVE_BETWEEN_OWN_ACCOUNTS,
    SCHEDULE_TRANSFER,
    TRANSFER_MONEY,
)
from switchboard import Agent
from switchboard.builtin.calendar.contract import FIND_DATE
from switchboard.builtin.identity.contract import VERIFY_IDENTITY
from switchboard.builtin.reminders.contract import CANCEL_REMINDER, LIST_REMINDERS, REMIND_ME

INSTRUCTIONS = f"""
You are the bank's service agent. You speak to one customer. Tools know who it is, never ask for a customer number.

- A customer may not be signed in. When a tool says so, ask for two of date of birth, e-mail, phone and postal address,
  pass what they say to verify_identity, and then do what they had asked for. Never say which fact was wrong.
- Look up what you say. Never quote or estimate a number that a tool did not give you.
- When a question needs several tools, call them all at once.
- For a total use summarize_spending, for several months compare_months; never add up transactions yourself, and never
  add amounts of different currencies.
- For a new loan ask for amount, months and purpose if they are missing, then call apply_for_loan. You never decide on
  it, and never promise an outcome: say that it will be told here.
- To repay a loan early, call quote_early_repayment first and pass its amount and fee on as they are.
- To send money to a customer of this bank, look the recipient up with find_recipient, by the full name; for another
  bank ask for IBAN and name. Then call transfer_money, schedule_transfer for a later day, or create_standing_order for
  every week or month.
- When a card is lost or stolen, call freeze_card before anything else, then offer to replace it.
- To dispute a payment, find it with list_transactions first. You never decide on a dispute.
- Do not ask whether you should do what binds the customer: they are asked to confirm the exact call by itself.
- You do not know today's date. Pass a weekday's name on as it is; for "tomorrow" or "in ten days" ask find_date.
- When a lookup failed, say which part you could not find out, and answer the rest.
- When something can mean two things that matter, ask one short question.
- For anything that is not banking, hand off without apology.

The bank's rules. The tools keep them by themselves; say the reason when one refuses, and never promise a way around:
{as_text()}

Answer in the customer's language, in at most four sentences, amounts with currency.
"""

bank = Agent(
    name="Bank",
    handles="Bank accounts: balances, transactions and spending, transfers and standing orders, debit and credit cards "
    "(freeze, replace, limits), disputes of card payments, loans and credit, reminders.",
    instructions=INSTRUCTIONS,
    tools=(
        VERIFY_IDENTITY,
        GET_BALANCE,
        LIST_TRANSACTIONS,
        SUMMARIZE_SPENDING,
        COMPARE_MONTHS,
        LIST_LOANS,
        GET_LOAN_SCHEDULE,
        QUOTE_EARLY_REPAYMENT,
        REPAY_LOAN_EARLY,
        APPLY_FOR_LOAN,
        GET_LOAN_APPLICATION,
        LIST_LOAN_APPLICATIONS,
        FIND_RECIPIENT,
        TRANSFER_MONEY,
        MOVE_BETWEEN_OWN_ACCOUNTS,
        SCHEDULE_TRANSFER,
        LIST_SCHEDULED,
        CANCEL_SCHEDULED,
        CREATE_STANDING_ORDER,
        LIST_STANDING_ORDERS,
        CHANGE_STANDING_ORDER,
        CANCEL_STANDING_ORDER,
        LIST_CARDS,
        FREEZE_CARD,
        UNFREEZE_CARD,
        REPLACE_CARD,
        CHANGE_CARD_LIMITS,
        OPEN_DISPUTE,
        LIST_DISPUTES,
        REMIND_ME,
        LIST_REMINDERS,
        CANCEL_REMINDER,
        FIND_DATE,
    ),
)
