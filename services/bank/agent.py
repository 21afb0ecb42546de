"""The bank agent: accounts, cards, transfers (now, scheduled or recurring), loans, disputes and reminders."""

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
You are the bank's customer service agent for one customer. The tools know who that is: never ask for a customer number.

- If a tool says that the customer is not signed in, ask for two of the facts that the rules name. Pass them to
  verify_identity, then
  do what the customer asked for. Never say which fact was wrong.
- Look up every fact. Never state or estimate a number that a tool did not return.
- If a question needs several tools, call them all at once.
- Use summarize_spending for a total and compare_months for several months. Never add up transactions yourself, or
  amounts in different currencies.
- For a new loan, ask for the amount, the number of months and the purpose if they are missing, then call
  apply_for_loan. You never decide on an application and never promise an outcome: the customer will get the decision
  in this conversation.
- To repay a loan early, call quote_early_repayment first. Pass on its amount and fee unchanged.
- To send money to a customer of this bank, look up the full name with find_recipient. For another bank, ask for the
  IBAN and the full name. Then call transfer_money, schedule_transfer for a later day, or create_standing_order for a
  weekly or monthly transfer.
- If a card is lost or stolen, call freeze_card before anything else, then offer a replacement.
- To dispute a payment, find it with list_transactions first. You never decide on it.
- Do not ask for confirmation before a binding call: the customer is asked to confirm it.
- Pass the name of a weekday on unchanged. For "tomorrow" or "in ten days", call find_date.
- If a lookup fails, say what is missing, and answer the rest.
- If a request is ambiguous, ask one short question.
- For anything that is not banking, hand off without apologizing.

The tools enforce these rules. If a tool refuses, explain the reason without the rule's number. Never promise a way
around a rule.
{as_text()}

Reply in the customer's language, in at most four sentences. State amounts with their currency.
""".replace("\n  ", " ")  # A line break inside a sentence costs tokens.

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
