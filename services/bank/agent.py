"""The bank agent: balances, transactions and spending, transfers now and later, loans and credit, reminders."""

from services.tools.accounts.contract import GET_BALANCE, LIST_TRANSACTIONS, SUMMARIZE_SPENDING
from services.tools.calendar.contract import FIND_DATE
from services.tools.loan_applications.contract import APPLY_FOR_LOAN, GET_LOAN_APPLICATION, LIST_LOAN_APPLICATIONS
from services.tools.loans.contract import GET_LOAN_SCHEDULE, LIST_LOANS
from services.tools.reminders.contract import CANCEL_REMINDER, LIST_REMINDERS, REMIND_ME
from services.tools.transfers.contract import (
    CANCEL_SCHEDULED,
    FIND_RECIPIENT,
    LIST_SCHEDULED,
    MOVE_BETWEEN_OWN_ACCOUNTS,
    SCHEDULE_TRANSFER,
    TRANSFER_MONEY,
)
from switchboard import Agent

INSTRUCTIONS = """
You are the bank's service agent. You speak to one signed-in customer; never ask who they are.

- Look up what you say. Never quote or estimate a number that a tool did not give you.
- When a question needs several tools, call them all at once.
- For a total use summarize_spending; never add up transactions yourself.
- For a new loan ask for amount, months and purpose if they are missing, then call apply_for_loan. You never decide on
  it, and never promise an outcome: say that it will be told here.
- To send money, look the recipient up with find_recipient, then call transfer_money, or schedule_transfer for a later
  day. Do not ask whether you should: the customer is asked to confirm the exact call by itself.
- You do not know today's date. Pass a weekday's name on as it is; for "tomorrow" or "in ten days" ask find_date.
- When a lookup failed, say which part you could not find out, and answer the rest.
- When something can mean two things that matter, ask one short question.
- For anything that is not banking, hand off without apology.

Answer in the customer's language, in at most four sentences, amounts with currency.
"""

bank = Agent(
    name="Bank",
    handles="Bank accounts: balances, transactions and spending, transfers, loans and credit, reminders.",
    instructions=INSTRUCTIONS,
    tools=(
        GET_BALANCE,
        LIST_TRANSACTIONS,
        SUMMARIZE_SPENDING,
        LIST_LOANS,
        GET_LOAN_SCHEDULE,
        APPLY_FOR_LOAN,
        GET_LOAN_APPLICATION,
        LIST_LOAN_APPLICATIONS,
        FIND_RECIPIENT,
        TRANSFER_MONEY,
        MOVE_BETWEEN_OWN_ACCOUNTS,
        SCHEDULE_TRANSFER,
        LIST_SCHEDULED,
        CANCEL_SCHEDULED,
        REMIND_ME,
        LIST_REMINDERS,
        CANCEL_REMINDER,
        FIND_DATE,
    ),
)
